/** How the live page looks, in light and in dark. */

/** The style sheet. */
export const PAGE_STYLE: string = `
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#51606f;--line:#d5dbe2;--ok:#1a7f4b;--warn:#8a5a00;--bad:#b3261e;--accent:#0b57d0;--c0:#0b57d0;--c1:#b3480f;--c2:#1a7f4b;--c3:#7b3fb5;--c4:#9a1f60;--c5:#59690a}
@media (prefers-color-scheme:dark){:root{--bg:#11161c;--card:#1a212a;--ink:#e8edf2;--soft:#a6b3c0;--line:#323d49;--ok:#5fd394;--warn:#f2b84b;--bad:#ff8a80;--accent:#8ab4f8;--c0:#8ab4f8;--c1:#ffab70;--c2:#5fd394;--c3:#d0a8ff;--c4:#ff9ec7;--c5:#d3df6b}}
:root[data-theme=light]{color-scheme:light;--bg:#f6f7f9;--card:#fff;--ink:#16202c;--soft:#51606f;--line:#d5dbe2;--ok:#1a7f4b;--warn:#8a5a00;--bad:#b3261e;--accent:#0b57d0;--c0:#0b57d0;--c1:#b3480f;--c2:#1a7f4b;--c3:#7b3fb5;--c4:#9a1f60;--c5:#59690a}
:root[data-theme=dark]{color-scheme:dark;--bg:#11161c;--card:#1a212a;--ink:#e8edf2;--soft:#a6b3c0;--line:#323d49;--ok:#5fd394;--warn:#f2b84b;--bad:#ff8a80;--accent:#8ab4f8;--c0:#8ab4f8;--c1:#ffab70;--c2:#5fd394;--c3:#d0a8ff;--c4:#ff9ec7;--c5:#d3df6b}
*{box-sizing:border-box}[hidden]{display:none!important}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
.skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:var(--card);padding:8px;z-index:1}
header{display:flex;flex-wrap:wrap;gap:12px;align-items:center;padding:14px 20px;border-bottom:1px solid var(--line);background:var(--card)}
h1{font-size:20px;margin:0;flex:1 1 auto}h2{font-size:16px;margin:0 0 10px}
main{display:grid;grid-template-columns:repeat(12,minmax(0,1fr));gap:16px;padding:16px 20px;max-width:1500px;margin:auto}
section{grid-column:span 12;background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;min-width:0}
@media (min-width:1000px){.half{grid-column:span 6}.third{grid-column:span 4}}
button{font:inherit;color:var(--ink);background:transparent;border:1px solid var(--line);border-radius:6px;padding:3px 10px;cursor:pointer}
button:hover{border-color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
.pill{display:inline-block;border-radius:99px;padding:1px 10px;border:1px solid currentColor;font-size:13px}
.ok{color:var(--ok)}.warn{color:var(--warn)}.bad{color:var(--bad)}.soft{color:var(--soft)}
#problems{border-left:6px solid var(--ok)}#problems.warn{border-left-color:var(--warn)}#problems.bad{border-left-color:var(--bad)}
#problems,#problems.warn,#problems.bad{color:var(--ink)}
ul{margin:0;padding-left:20px}li{margin:3px 0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}#topology-table{max-height:70vh;overflow-y:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
th,td{text-align:left;padding:5px 10px 5px 0;border-bottom:1px solid var(--line);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}
#topology-table td:first-child,#topology-table td:nth-child(4),#topology-table td:last-child{white-space:nowrap}
.half svg text{font-size:11px}
td.n{font-variant-numeric:tabular-nums;text-align:right;padding-right:16px}th.n{text-align:right;padding-right:16px}
code{font:13px/1.4 ui-monospace,monospace;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto}
svg text{fill:var(--ink);font:13px system-ui,sans-serif}svg .soft{fill:var(--soft)}
svg .box{fill:var(--bg);stroke:var(--line);stroke-width:1.5}svg .box.ok{stroke:var(--ok)}svg .box.warn{stroke:var(--warn);stroke-dasharray:6 3}svg .box.bad{stroke:var(--bad);stroke-width:3}
svg .edge{stroke:var(--soft);stroke-width:1.5;fill:none}svg .edge.bad{stroke:var(--bad);stroke-dasharray:5 4}
svg .axis{stroke:var(--line)}
.legend{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:13px;margin-top:6px}.legend svg{width:18px;height:10px;display:inline-block;vertical-align:middle}
dialog{background:var(--card);color:var(--ink);border:1px solid var(--line);border-radius:10px;max-width:760px}
#plan-steps{max-height:50vh;overflow:auto}
.actions{display:flex;gap:6px;flex-wrap:wrap}
dialog menu{display:flex;gap:10px;padding:0;margin:16px 0 0}
time{font-variant-numeric:tabular-nums;color:var(--soft)}
`;
