import { Session } from '../dist/session/session.js';
import { SessionDocument } from '../dist/php/session-document.js';
import { RequestSession } from '../dist/express/request-session.js';
const text = Array.from({length: 10}, (_, i) => `v${i}|s:20:"aaaaaaaaaaaaaaaaaaaa";`).join('') + 'cart|a:3:{i:0;s:3:"abc";i:1;i:2;i:2;a:1:{s:1:"x";d:1;}}';
const mk = () => new RequestSession(Session.stored('id', SessionDocument.decode(Buffer.from(text), 'php')), { store: {}, mode: 'read-write', cookieCanBeSent: () => true });
for (let r = 0; r < 5; r++) {
  const N = 5000; const list = Array.from({length: N}, mk);
  let t = process.hrtime.bigint(); for (const s of list) { s.v1; s.cart; } console.log('read', Number(process.hrtime.bigint() - t) / N / 1000, 'us');
  for (let k = 0; k < 3; k++) { t = process.hrtime.bigint(); for (const s of list) s.pending; console.log('pending', k, Number(process.hrtime.bigint() - t) / N / 1000, 'us'); }
}
