/** The live page as one document that needs nothing else. */
import { PAGE_SCRIPT } from './page-script.js';
import { PAGE_STYLE } from './page-style.js';

/** What differs from page to page. */
export interface PageParts {
  /** The heading. */
  readonly title: string;
  /** Lets the page's own script and style run, and no others. */
  readonly nonce: string;
  /** Goes with every action; '' when there are none. */
  readonly token: string;
}

/** The document. */
export function dashboardPage({ title, nonce, token }: PageParts): string {
  const heading = escaped(title);
  return `<!doctype html>
<html lang="en" data-token="${escaped(token)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${heading}</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${PAGE_STYLE}</style>
</head>
<body>
<a class="skip" href="#problems">Skip to the problems</a>
<header>
<h1 id="title">${heading}</h1>
<span id="writer" class="pill" data-of="databases">…</span> <span id="epoch" class="soft" data-of="databases"></span>
<span id="live" class="pill" role="status">connecting</span>
<button id="theme" type="button">Light or dark</button>
</header>
<main>
<section id="problems" aria-labelledby="h-problems"><h2 id="h-problems">Problems</h2><div id="problem-list" aria-live="polite"><p>Waiting for the first look …</p></div><p id="said" role="alert" class="bad"></p></section>
<section data-of="databases" aria-labelledby="h-topology"><h2 id="h-topology">Databases</h2><div id="topology-drawing"></div><div id="topology-table" class="scroll" tabindex="0" role="region" aria-label="Table of the databases"></div></section>
<section data-of="databases" class="half" aria-labelledby="h-reads"><h2 id="h-reads">Reads per second</h2><div id="chart-reads"></div></section>
<section data-of="databases" class="half" aria-labelledby="h-writes"><h2 id="h-writes">Writes per second</h2><div id="chart-writes"></div></section>
<section data-of="databases" class="half" aria-labelledby="h-latency"><h2 id="h-latency">Round trip of the probes, ms</h2><div id="chart-latency"></div></section>
<section data-of="databases" class="half" aria-labelledby="h-lag"><h2 id="h-lag">Lag, ms</h2><div id="chart-lag"></div></section>
<section data-of="databases" aria-labelledby="h-decisions"><h2 id="h-decisions">Routing decisions</h2><div id="decision-table" class="scroll" tabindex="0" role="region" aria-label="Table of the decisions"></div></section>
<section id="sessions" class="half" aria-labelledby="h-sessions" hidden><h2 id="h-sessions">Session copies</h2><div id="session-table" class="scroll" tabindex="0" role="region" aria-label="Table of the session copies"></div></section>
<section data-of="databases" class="half" aria-labelledby="h-timeline"><h2 id="h-timeline">What happened</h2><div id="timeline-list"></div></section>
</main>
<dialog id="plan" aria-labelledby="plan-title"><h2 id="plan-title"></h2><ol id="plan-steps" tabindex="0" aria-labelledby="plan-title"></ol><menu><button id="plan-confirm" type="button">Do it</button><button id="plan-cancel" type="button" autofocus>Leave it</button></menu></dialog>
<script nonce="${nonce}">${PAGE_SCRIPT}</script>
</body>
</html>
`;
}

function escaped(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
