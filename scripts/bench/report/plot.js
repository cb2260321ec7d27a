/**
 * Draws the panels as an SVG picture, in the colours of the manual: light or dark as the reader's system is. It needs no
 * script and no font but the system's.
 */
import { planPanels } from "./panels.js";

const PANEL_WIDTH = 430;
const PANEL_HEAD = 50;
const PANEL_FOOT = 16;
const BAR = { height: 14, pitch: 22, left: 184, width: 184 };
const MARGIN = 16;
const GAP = 28;
const FOOT = 42;
/** Room between a bar, or its spread, and its figure. */
const LABEL_GAP = 6;
/** What bars may take of their room; the rest is for spreads. */
const BAR_SHARE = 0.8;

const STYLE = `
  svg { --paper: #fcf9f4; --ink: #2b2420; --quiet: #6a5e54; --line: #e3d8c8; --rival: #c9bba8; --baseline: #8f8274; --ours: #b4532a; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #1a1613; --ink: #ece3d8; --quiet: #ab9d8f; --line: #3b322b; --rival: #5a4e44; --baseline: #8f8274; --ours: #e58a5c; }
  }
  text { font: 12.5px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif; fill: var(--ink); }
  .paper { fill: var(--paper); }
  .title { font-weight: 600; font-size: 14px; }
  .unit, .foot { fill: var(--quiet); font-size: 12px; }
  .rival { fill: var(--rival); } .baseline { fill: var(--baseline); } .ours { fill: var(--ours); }
  text.ours { fill: var(--ink); font-weight: 600; }
  text.rival, text.baseline { fill: var(--ink); }
  text { paint-order: stroke; stroke: var(--paper); stroke-width: 4px; stroke-linejoin: round; }
  .mark { stroke: var(--quiet); stroke-dasharray: 3 3; }
  .spread { stroke: var(--ink); stroke-opacity: 0.55; fill: none; }
  .axis { stroke: var(--line); }
`;

/** @param columns  how many panels stand beside each other: 1 for narrow pages */
export function drawPlot({ rows, machine, date, rounds, seconds }, columns) {
  const placed = placePanels(planPanels(rows), columns);
  const width = 2 * MARGIN + columns * PANEL_WIDTH + (columns - 1) * GAP;
  const height = Math.max(MARGIN, ...placed.map(({ y, panel }) => y + heightOf(panel))) + FOOT;
  const foot = [
    `Medians of ${rounds} rounds of ${seconds} s; thin lines from the least to the most.`,
    `${machine.processor}, ${machine.cores} cores, ${machine.system}, node ${machine.node}, ${date.slice(0, 10)}.`,
  ];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title description">`,
    '<title id="title">Comanche beside other web servers</title>',
    `<desc id="description">${escapeText(placed.map(({ panel }) => describe(panel)).join(" "))}</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...placed.map(({ panel, x, y }) => `<g transform="translate(${x} ${y})">\n${drawPanel(panel)}\n</g>`),
    ...foot.map((line, index) => textAt(MARGIN, height - FOOT + 14 + index * 17, "foot", line)),
    "</svg>",
  ].join("\n")}\n`;
}

/** Each panel goes below the column that is shortest so far. */
function placePanels(panels, columns) {
  const bottoms = Array.from({ length: columns }, () => MARGIN);
  return panels.map((panel) => {
    const column = bottoms.indexOf(Math.min(...bottoms));
    const y = bottoms[column];
    bottoms[column] += heightOf(panel);
    return { panel, x: MARGIN + column * (PANEL_WIDTH + GAP), y };
  });
}

function heightOf({ bars }) {
  return PANEL_HEAD + bars.length * BAR.pitch + PANEL_FOOT;
}

function drawPanel({ title, unit, most, mark, bars }) {
  const scale = (value) => Math.min(BAR.width, (value / most) * BAR.width * BAR_SHARE);
  const bottom = PANEL_HEAD + bars.length * BAR.pitch - (BAR.pitch - BAR.height) / 2;
  const axis = `<line class="axis" x1="${BAR.left}" y1="${PANEL_HEAD - 4}" x2="${BAR.left}" y2="${bottom}"/>`;
  return [
    textAt(0, 16, "title", title),
    textAt(0, 34, "unit", unit),
    axis,
    ...(mark === undefined ? [] : [drawMark(BAR.left + scale(mark), bottom)]),
    ...bars.map((bar, index) => drawBar(bar, PANEL_HEAD + index * BAR.pitch, scale)),
  ].join("\n");
}

function drawBar({ label, kind, value, least, most, words }, y, scale) {
  const baseline = y + BAR.height - 3;
  const middle = y + BAR.height / 2;
  const [from, end, to] = [least, value, most].map((one) => round(BAR.left + scale(one)));
  return [
    `<text class="${kind}" x="${BAR.left - 8}" y="${baseline}" text-anchor="end">${escapeText(label)}</text>`,
    `<rect class="${kind}" x="${BAR.left}" y="${y}" width="${round(end - BAR.left)}" height="${BAR.height}" rx="2"/>`,
    `<path class="spread" d="M${from} ${middle - 3}v6M${from} ${middle}H${to}M${to} ${middle - 3}v6"/>`,
    textAt(Math.max(end, to) + LABEL_GAP, baseline, kind, words),
  ].join("\n");
}

function drawMark(x, bottom) {
  return `<line class="mark" x1="${round(x)}" y1="${PANEL_HEAD - 4}" x2="${round(x)}" y2="${bottom}"/>`;
}

/** For those who hear the picture instead of seeing it. */
function describe({ title, unit, bars }) {
  return `${title} (${unit}): ${bars.map(({ label, words }) => `${label} ${words}`).join(", ")}.`;
}

function textAt(x, y, kind, words) {
  return `<text class="${kind}" x="${round(x)}" y="${y}">${escapeText(words)}</text>`;
}

function round(value) {
  return Math.round(value * 10) / 10;
}

function escapeText(words) {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
