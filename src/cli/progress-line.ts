import type { AgentEvent } from '../status/event.js'
import type { Progress } from '../status/progress.js'

/** A terminal to draw on. */
export interface Canvas {
  write(text: string): void
  /** Columns; undefined or 0 where the terminal does not tell. */
  width(): number | undefined
}

/**
 * The one line at the bottom of a terminal that says how far the work has come. It is drawn over itself, and gone before
 * anything else is printed (`clear`) and at the end.
 */
export class ProgressLine {
  private shown = ''
  private paused = false
  private timer: NodeJS.Timeout | undefined

  constructor(
    private readonly canvas: Canvas,
    private readonly progress: Progress,
    private readonly now: () => number,
  ) {}

  /** What is looked for from now on may take longer than a second. */
  wait(): void {
    this.progress.wait(this.now())
    this.start()
  }

  note(event: AgentEvent): void {
    this.progress.note(event, this.now())
    this.start()
  }

  /** Draws what there is to tell now. */
  draw(): void {
    if (!this.progress.isBusy) this.stop()
    const line = this.paused ? undefined : this.progress.line(this.now())
    if (line === undefined) {
      this.clear()
      return
    }
    const text = fitted(line, (this.canvas.width() || usualColumns) - 1)
    if (text === this.shown) return
    this.canvas.write(`${eraseLine}${text}`)
    this.shown = text
  }

  /** Takes the line away; the next drawing brings it back. */
  clear(): void {
    if (this.shown === '') return
    this.canvas.write(eraseLine)
    this.shown = ''
  }

  /** Nothing is drawn while somebody is being asked. */
  pause(paused: boolean): void {
    this.paused = paused
    if (paused) this.clear()
  }

  end(): void {
    this.stop()
    this.clear()
  }

  /** Runs while something is under way. */
  private start(): void {
    if (this.timer !== undefined || !this.progress.isBusy) return
    this.timer = setInterval(() => this.draw(), drawEveryMs)
    this.timer.unref()
  }

  private stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }
}

const drawEveryMs = 100
const usualColumns = 80
/** To the first column, and everything from there on away. */
const eraseLine = '\r\x1b[K'

/** Cut to so many columns. What is not ASCII may take two. */
function fitted(text: string, columns: number): string {
  let left = columns
  let fits = ''
  for (const character of text) {
    left -= character < '\x7f' ? 1 : 2
    if (left < 0) break
    fits += character
  }
  return fits
}

/** The line for this process, or none: where nobody looks, or on a terminal that cannot erase. */
export function canvasOf(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>) {
  if (stream.isTTY !== true || env.TERM === 'dumb') return undefined
  return { write: (text: string) => void stream.write(text), width: () => stream.columns }
}
