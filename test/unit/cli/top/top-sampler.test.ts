import { expect, test } from 'vitest';
import { TopSampler } from '../../../../src/cli/top/top-sampler.js';
import type { ClusterOptions } from '../../../../src/cluster-options.js';
import type { AnySessionOptions } from '../../../../src/session/store-options.js';

test.each<[string, ClusterOptions<AnySessionOptions>]>([
  ['mounts', { sessions: { mounts: ['/srv/a', '/srv/b'] } }],
  ['a cache', { cache: { nodes: ['cache1:11211'] } }],
])('a configuration of %s alone has nothing to show, and says where to look', async (_, options) => {
  await expect(TopSampler.open({ options, source: '/srv/stormlamp.config.json' })).rejects.toMatchObject({
    code: 'ERR_INVALID_OPTION',
    message: expect.stringMatching(/stormlamp\.config\.json has neither; `stormlamp status`/),
  });
});
