// A small plot of the last 15 minutes as SVG: lines of one scale that begins at 0, the newest value at the right. Knows
// numbers only.
import { SAMPLES_KEPT } from '../mount-history.ts';
import { html, type Html } from './html.ts';

export interface Line {
  readonly values: readonly (number | null)[];
  /** How it looks. main: filled below; the others are only there where they are not 0. */
  readonly kind: 'main' | 'second' | 'bad';
}

export interface PlotOptions {
  readonly lines: readonly Line[];
  /** What it shows, for who cannot see it. */
  readonly label: string;
  /** The scale goes at least so far up. */
  readonly atLeast: number;
}

const WIDTH = SAMPLES_KEPT - 1;
const HEIGHT = 30;
/** So that a line of full height is not cut. */
const MARGIN = 1.5;

/** The highest value there is; 0 where there is none. */
export const highest = (values: readonly (number | null)[]): number =>
  values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0);

export function plot({ lines, label, atLeast }: PlotOptions): Html {
  const top = Math.max(atLeast, ...lines.map(({ values }) => highest(values)));
  const shapes = lines.map((line) => drawnBefore(line, top) ?? draw(line, top));
  return html`<svg
    class="plot"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}"
  >
    <path class="base" d="M0 ${HEIGHT - 0.5}H${WIDTH}" />
    ${shapes}
  </svg>`;
}

interface Drawing {
  readonly kind: Line['kind'];
  readonly top: number;
  readonly shape: Html;
}

/** A series stays the same list until its next sample, and is asked for every second: a third of the page's time. */
const drawings = new WeakMap<Line['values'], Drawing>();

function drawnBefore({ values, kind }: Line, top: number): Html | null {
  const found = drawings.get(values);
  return found !== undefined && found.kind === kind && found.top === top ? found.shape : null;
}

function draw({ values, kind }: Line, top: number): Html {
  const runs = runsOf(kind === 'main' ? values : withoutCalm(values), top);
  const line = runs.map((run) => `M${run.join('L')}`).join('');
  const area = kind === 'main' && runs.map(areaOf).join('');
  const shape = html`${area !== false && html`<path class="area" d="${area}" />`}<path
      class="line ${kind}"
      d="${line}"
    />`;
  drawings.set(values, { kind, top, shape });
  return shape;
}

/** Without the zeros between zeros: where nothing waits or fails there is nothing to see. */
const withoutCalm = (values: Line['values']): (number | null)[] =>
  values.map((value, at) => (value || values[at - 1] || values[at + 1] ? value : null));

/** Stretches of points without a gap. One that is alone becomes a short dash. */
function runsOf(values: readonly (number | null)[], top: number): string[][] {
  const runs: string[][] = [];
  let open: string[] | null = null;
  const first = SAMPLES_KEPT - values.length;
  for (const [at, value] of values.entries()) {
    if (value === null) {
      open = null;
      continue;
    }
    const y = HEIGHT - MARGIN - (value / top) * (HEIGHT - 2 * MARGIN);
    const point = `${first + at} ${y.toFixed(1)}`;
    if (open === null) {
      open = [`${Math.max(0, first + at - 0.5)} ${y.toFixed(1)}`];
      runs.push(open);
    }
    open.push(point);
  }
  return runs;
}

function areaOf(run: readonly string[]): string {
  const [from = '0'] = (run[0] ?? '').split(' ');
  const [to = '0'] = (run.at(-1) ?? '').split(' ');
  return `M${from} ${HEIGHT}L${run.join('L')}L${to} ${HEIGHT}Z`;
}
