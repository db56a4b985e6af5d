/** Runs a code block of a page as it stands, against real servers. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LocalCluster } from '../../src/testing/index.js';
import { type Finished, ROOT, startNode } from '../support/run-node.js';

/** The code blocks of `page` in `language`. */
export function blocksOf(page: string, language: string): string[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].flatMap((match) =>
    match[1] === language ? [match[2] ?? ''] : [],
  );
}

/** Lets the application's own account see replication, as the pages assume. */
export async function letAppMonitor(servers: LocalCluster): Promise<void> {
  const grant = servers.flavor === 'mysql' ? 'REPLICATION CLIENT' : 'REPLICA MONITOR';
  await servers.primary.query(`GRANT ${grant} ON *.* TO '${servers.accounts.app.user}'@'%'`);
  await servers.waitForReplication();
}

/** What a block wrote; its hosts `db1`, `db2`, … and `cache1`, … are replaced, and the environment names the same servers. */
export async function runBlock(
  code: string,
  servers: LocalCluster,
  more: { readonly env?: Readonly<Record<string, string>>; readonly append?: string } = {},
): Promise<Finished> {
  const { user, password } = servers.accounts.app;
  const urlOf = (id: string): string =>
    `mysql://${user}:${encodeURIComponent(password)}@${id}/${servers.database}`;
  let program = `${code}\n${more.append ?? ''}`;
  servers.databases.forEach(({ id, name }) => {
    program = program.replaceAll(`mysql://app:secret@${name}/shop`, urlOf(id));
  });
  servers.memcached.forEach(({ id, name }) => {
    program = program.replaceAll(`${name}:11211`, id);
  });
  // Inside the project, so that `stormlamp` is found as in an application that installed it.
  const folder = mkdtempSync(join(ROOT, '.stormlamp-docs-'));
  try {
    const file = join(folder, 'block.mjs');
    writeFileSync(file, program);
    const run = startNode([file], {
      env: {
        ...(servers.databases.length === 0
          ? {}
          : {
              STORMLAMP_MYSQL_PRIMARY: urlOf(servers.primary.id),
              STORMLAMP_MYSQL_REPLICAS: servers.replicas.map(({ id }) => urlOf(id)).join(','),
            }),
        STORMLAMP_MEMCACHED: servers.memcached.map(({ id }) => id).join(','),
        ...more.env,
      },
    });
    return await run.finished;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
