import { describe, expect, test } from 'vitest';
import { readReplicaStatus, replicaStatusStatements } from '../../../src/mysql/replica-status.js';
import { parseServerVersion } from '../../../src/mysql/server-version.js';
import { REPLICA_STATUS_CASES } from '../../spec/replica-status.table.js';

describe('channels', () => {
  test.each(REPLICA_STATUS_CASES)('$name', ({ rows, flavor, channels }) => {
    expect(readReplicaStatus(rows, flavor)).toEqual(channels);
  });
});

describe('the statement', () => {
  test.each([
    ['5.7.44', 'SHOW SLAVE STATUS'],
    ['8.0.21', 'SHOW SLAVE STATUS'],
    ['8.0.22', 'SHOW REPLICA STATUS'],
    ['8.4.0', 'SHOW REPLICA STATUS'],
    ['9.7.4', 'SHOW REPLICA STATUS'],
    ['10.4.1-MariaDB', 'SHOW ALL SLAVES STATUS'],
    ['11.8.2-MariaDB', 'SHOW ALL SLAVES STATUS'],
  ])('%s is asked with %s first', (version, statement) => {
    const [first, second] = replicaStatusStatements(parseServerVersion(version));
    expect(first).toBe(statement);
    expect(second).not.toBe(statement);
  });
});
