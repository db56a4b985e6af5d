// fuzz: real PHP both extensions vs Node by php.ini
import { writeFileSync, mkdirSync } from 'node:fs';
import { startLocalCluster } from '../dist/testing/index.js';
import { createSessionStore } from '../dist/index.js';
import { TextConnection } from '../dist/memcached/text-connection.js';
const rounds = Number(process.argv[2] ?? 20); let seed = Number(process.argv[3] ?? 1);
const rnd = () => ((seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) / 2 ** 32);
const int = (a, b) => a + Math.floor(rnd() * (b - a + 1));
const pick = (l) => l[int(0, l.length - 1)];
const servers = await startLocalCluster({ databases: false, memcached: 5 });
const ports = servers.memcached.map((n) => n.port);
const conns = await Promise.all(servers.memcached.map((n) => TextConnection.open({ address: { host: n.host, port: n.port }, id: n.id, timeoutMs: 20000 })));
const holdersOf = async (key) => { const r = []; for (let i = 0; i < 5; i++) { const [it] = await conns[i].items([key]); if (it) r.push(ports[i]); } return r; };
const ALPH = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,-';
const used = new Set();
const newId = (max) => { for (;;) { const id = newId1(max); if (!used.has(id)) { used.add(id); return id; } } };
const newId1 = (max) => Array.from({ length: pick([1, 2, 26, 32, 40, int(3, max), max]) }, () => ALPH[int(0, 63)]).join('');
let fails = 0; const fail = (...a) => { fails++; console.log('FAIL', ...a.map((x) => String(x).slice(0, 900))); if (String(a[1]).includes('memory limit')) throw new Error('PHP walks for ever'); };
let done = 0;
for (let round = 0; round < rounds; round++) {
  const ext = pick(['memcached', 'memcache']);
  const n = int(1, 5);
  const chosen = [...ports].sort(() => rnd() - 0.5).slice(0, n);
  const weights = chosen.map(() => pick([1, 1, 1, 2, 3, 7, 50, int(1, 200)]));
  const hosts = chosen.map(() => pick(['localhost', '127.0.0.1', '127.1', 'LOCALHOST', 'LocalHost']));
  const red = int(1, 6);
  const ser = pick(['php', 'php_serialize', 'php_binary', 'igbinary']);
  const ini = { 'session.save_handler': ext, 'session.serialize_handler': ser, 'session.gc_maxlifetime': '1440' };
  let prefix = '';
  if (ext === 'memcached') {
    ini['session.save_path'] = chosen.map((p, i) => `${hosts[i]}:${p}` + (rnd() < 0.8 ? `:${weights[i]}` : '')).join(pick([',', ', ']));
    const ch = pick(['ketama', 'ketama_weighted', 'off', 'default']);
    if (ch === 'off') ini['memcached.sess_consistent_hash'] = 'Off';
    else if (ch !== 'default') { ini['memcached.sess_consistent_hash'] = 'On'; ini['memcached.sess_consistent_hash_type'] = ch; }
    ini['memcached.sess_number_of_replicas'] = String(red - 1);
    ini['memcached.sess_lock_expire'] = '60';
    prefix = 'memc.sess.key.';
    if (rnd() < 0.4) { prefix = pick(['memc.sess.', 'x', 'a:b:', 'x'.repeat(100), 'Ä'.length > 1 ? 'y' : 'z_']); ini['memcached.sess_prefix'] = prefix; }
    if (rnd() < 0.3) ini['memcached.sess_remove_failed_servers'] = 'On';
    if (rnd() < 0.2 && red === 1) ini['memcached.sess_binary_protocol'] = 'Off';
  } else {
    ini['session.save_path'] = chosen.map((p, i) => `tcp://${hosts[i]}:${p}?` + [rnd() < 0.8 ? `weight=${weights[i]}` : '', rnd() < 0.5 ? 'timeout=30' : '', rnd() < 0.3 ? 'persistent=1' : '', rnd() < 0.3 ? 'retry_interval=15' : ''].filter(Boolean).join('&')).join(pick([',', ', ']));
    if (rnd() < 0.8) ini['memcache.hash_strategy'] = pick(['consistent', 'standard']);
    if (rnd() < 0.8) ini['memcache.hash_function'] = pick(['crc32', 'fnv']);
    ini['memcache.session_redundancy'] = String(red);
    if (rnd() < 0.4) { prefix = pick(['p_', 'app1:', 'zz' ]); ini['memcache.session_prefix_static_key'] = prefix; }
    if (rnd() < 0.3) ini['memcache.compress_threshold'] = pick(['0', '100', '20000']);
    if (rnd() < 0.2) ini['memcache.allow_failover'] = pick(['0', '1']);
    if (rnd() < 0.2) ini['memcache.protocol'] = pick(['ascii', 'binary']);
  }
  mkdirSync('scratch/ini', { recursive: true });
  const file = `scratch/ini/r${round}.ini`;
  writeFileSync(file, Object.entries(ini).map(([k, v]) => `${k} = "${v}"`).join('\n') + '\n');
  const where = JSON.stringify({ round, ini });
  let store;
  try { store = await createSessionStore({ phpIni: file, lockWaitMs: 200, operationTimeoutMs: 20000 }); }
  catch (e) { console.log('refused', String(e.message).slice(0, 300), where); continue; }
  try {
    const max = 250 - prefix.length - 5;
    const ids = Array.from({ length: 8 }, () => newId(Math.min(231, max)));
    const ids2 = Array.from({ length: 8 }, () => newId(Math.min(231, max)));
    const uniq = [...new Set(ids)], uniq2 = [...new Set(ids2)].filter((i) => !ids.includes(i));
    const php = async (code) => { const r = await servers.php(`<?php ${code}`, { ini: Object.fromEntries(Object.entries(ini)) }); if (r.stderr || r.exitCode) fail('php', r.stderr.slice(0, 400), where); return r.stdout; };
    const each = (l, body) => `foreach (json_decode('${JSON.stringify(l)}') as $id) { session_id($id); session_start(); ${body} session_write_close(); $_SESSION = []; }`;
    const pad = pick([0, 10, 3000, 30000]);
    await php(each(uniq, `$_SESSION['by']='php'; $_SESSION['id']=$id; $_SESSION['pad']=str_repeat('lamp ', ${pad}); $_SESSION['f']=1.0; $_SESSION['o']=[1,[2.0]];`));
    for (const id of uniq) {
      const s = await store.load(id);
      if (s.data.by !== 'php' || s.data.id !== id || s.data.pad?.length !== pad * 5) fail('read', id, JSON.stringify(s.data).slice(0, 100), where);
      const on = (await holdersOf(prefix + id)).sort(); const exp = store.holders(id).map((h) => Number(h.split(':').at(-1))).sort();
      if (String(on) !== String(exp)) fail('holders(php)', id, on, exp, where);
      s.data.node = 1; const r = await store.save(s).catch((e) => ({ outcome: e.code + e.message }));
      if (r.outcome !== 'saved') fail('save', r.outcome, id, where);
    }
    for (const id of uniq2) {
      const s = await store.load(id); s.data.by = 'node'; s.data.pad = 'x'.repeat(pad * 5);
      const r = await store.save(s); if (r.outcome !== 'saved') fail('save2', r.outcome, id, where);
      const on = (await holdersOf(prefix + id)).sort(); const exp = store.holders(id).map((h) => Number(h.split(':').at(-1))).sort();
      if (String(on) !== String(exp)) fail('holders(node)', id, on, exp, where);
    }
    const out = JSON.parse(await php(`$seen=[]; ${each([...uniq, ...uniq2], `$seen[] = [$_SESSION['by'] ?? 'nobody', strlen($_SESSION['pad'] ?? ''), $_SESSION['node'] ?? 0, isset($_SESSION['f']) ? is_float($_SESSION['f']) : null];`)} echo json_encode($seen);`) || '[]');
    [...uniq, ...uniq2].forEach((id, i) => { const want = uniq.includes(id) ? ['php', pad * 5, 1, true] : ['node', pad * 5, 0, null]; if (JSON.stringify(out[i]) !== JSON.stringify(want)) fail('php read', id, JSON.stringify(out[i]), where); });
    // locks: node holds, PHP must not get it; PHP holds, node must not
    const id = uniq[0];
    const held = await store.load(id, { lock: true });
    if (ext === 'memcached') {
      const r = await servers.php(`<?php session_id('${id}'); echo @session_start() ? 'open' : 'locked';`, { ini: { ...ini, 'memcached.sess_lock_retries': '0' } });
      if (r.stdout !== 'locked') fail('node lock', id, r.stdout, where);
    } else {
      const r = await servers.php(`<?php session_id('${id}'); $t = microtime(true); @session_start(); echo round(microtime(true)-$t, 1) >= 0.8 ? 'locked' : 'open'; session_abort();`, { ini: { ...ini, 'memcache.lock_timeout': '1' } });
      if (r.stdout !== 'locked') fail('node lock', id, r.stdout, where);
    }
    await held.release().catch((e) => fail('release', e.message, where));
    // destroy on both sides
    await php(each([uniq[0]], 'session_destroy();').replace('session_write_close();', ''));
    if ((await store.load(uniq[0])).exists) fail('php destroy', where);
    const d = uniq2[0]; if (d) { await store.destroy(d); const on = await holdersOf(prefix + d); if (on.length) fail('node destroy', on, where); }
    // no foreign keys left: lock keys gone?
    done++;
  } catch (e) { fail('threw', e.stack?.slice(0, 600), where); }
  finally { await store.close(); }
}
console.log('done', done, 'rounds', 'fails', fails, 'next seed', seed);
for (const c of conns) c.close?.() ?? c[Symbol.asyncDispose]?.();
await servers.close(); process.exit(0);
