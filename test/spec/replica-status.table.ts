/**
 * Answers of `SHOW ... STATUS` as the server versions give them (columns that nothing reads are left out), and the channels
 * that they mean.
 */
import type { StatusRow } from '../../src/mysql/replica-status.js';
import type { Flavor, ReplicationChannel } from '../../src/topology/node-description.js';

export interface ReplicaStatusCase {
  readonly name: string;
  readonly flavor: Flavor;
  readonly rows: readonly StatusRow[];
  readonly channels: readonly ReplicationChannel[];
}

const healthy: ReplicationChannel = {
  name: '',
  sourceHost: 'db1',
  sourcePort: 3306,
  sourceServerId: 1,
  io: 'yes',
  sql: true,
  lagMs: 0,
  delayMs: 0,
  error: '',
  reception: { position: '', heartbeats: null, heartbeatMs: null, errno: 0 },
};

/** Columns of MySQL before 8.0.22 and of every MariaDB. */
const masterRow: StatusRow = {
  Slave_IO_State: 'Waiting for master to send event',
  Master_Host: 'db1',
  Master_User: 'repl',
  Master_Port: 3306,
  Slave_IO_Running: 'Yes',
  Slave_SQL_Running: 'Yes',
  Last_Errno: 0,
  Last_Error: '',
  Seconds_Behind_Master: 0,
  Last_IO_Errno: 0,
  Last_IO_Error: '',
  Last_SQL_Errno: 0,
  Last_SQL_Error: '',
  Master_Server_Id: 1,
  SQL_Delay: 0,
  SQL_Remaining_Delay: null,
};

/** Columns of MySQL 8.0.22 and later. */
const sourceRow: StatusRow = {
  Replica_IO_State: 'Waiting for source to send event',
  Source_Host: 'db1',
  Source_User: 'repl',
  Source_Port: 3306,
  Replica_IO_Running: 'Yes',
  Replica_SQL_Running: 'Yes',
  Last_Errno: 0,
  Last_Error: '',
  Seconds_Behind_Source: 0,
  Last_IO_Errno: 0,
  Last_IO_Error: '',
  Last_SQL_Errno: 0,
  Last_SQL_Error: '',
  Source_Server_Id: 1,
  Source_UUID: '3e11fa47-71ca-11e1-9e33-c80aa9429562',
  SQL_Delay: 0,
  SQL_Remaining_Delay: null,
  Channel_Name: '',
};

export const REPLICA_STATUS_CASES: readonly ReplicaStatusCase[] = [
  { name: 'a server that replicates from nobody', flavor: 'mysql', rows: [], channels: [] },
  { name: 'MySQL 5.7', flavor: 'mysql', rows: [{ ...masterRow, Channel_Name: '' }], channels: [healthy] },
  {
    name: 'MySQL 8.0.22 to 9.7',
    flavor: 'mysql',
    rows: [sourceRow],
    channels: [healthy],
  },
  {
    name: 'MySQL that asks for all that it lacks',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Auto_Position: 1, Replicate_Ignore_Server_Ids: '' }],
    channels: [{ ...healthy, autoPosition: true }],
  },
  {
    name: 'MySQL that follows by file and position',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Auto_Position: 0 }],
    channels: [{ ...healthy, byPosition: true }],
  },
  ...(['No', 'Slave_Pos', 'Current_Pos'] as const).map(
    (Using_Gtid): ReplicaStatusCase => ({
      name: `MariaDB with Using_Gtid: ${Using_Gtid}`,
      flavor: 'mariadb',
      rows: [{ ...masterRow, Using_Gtid }],
      channels: [{ ...healthy, ...(Using_Gtid === 'No' ? { byPosition: true } : {}) }],
    }),
  ),
  {
    name: '... but leaves out what a server wrote',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Auto_Position: 1, Replicate_Ignore_Server_Ids: '7' }],
    channels: [{ ...healthy, filters: ['Replicate_Ignore_Server_Ids=7'] }],
  },
  { name: 'MariaDB 10.4, SHOW SLAVE STATUS', flavor: 'mariadb', rows: [masterRow], channels: [healthy] },
  {
    name: 'MariaDB 10.5 to 10.11, all connections',
    flavor: 'mariadb',
    rows: [{ Connection_name: '', Slave_SQL_State: 'Slave has read all relay log', ...masterRow }],
    channels: [healthy],
  },
  {
    name: 'MariaDB 11.8 with its newer columns',
    flavor: 'mariadb',
    rows: [
      {
        Connection_name: '',
        ...masterRow,
        Seconds_Behind_Master: 3,
        Master_last_event_time: '2026-01-01 00:00:00',
        Slave_last_event_time: '2026-01-01 00:00:00',
        Master_Slave_time_diff: 0,
      },
    ],
    channels: [{ ...healthy, lagMs: 3_000 }],
  },
  {
    name: 'signs of life of the source on MariaDB: position, heartbeats and their period in seconds',
    flavor: 'mariadb',
    rows: [
      {
        Connection_name: '',
        ...masterRow,
        Master_Log_File: 'bin.000004',
        Read_Master_Log_Pos: 1729,
        Gtid_IO_Pos: '0-1-77',
        Slave_received_heartbeats: 12,
        Slave_heartbeat_period: 1.5,
      },
    ],
    channels: [
      {
        ...healthy,
        reception: { position: 'bin.000004:1729 0-1-77', heartbeats: 12, heartbeatMs: 1_500, errno: 0 },
      },
    ],
  },
  {
    name: 'signs of life of the source on MySQL: a set of transactions over several lines',
    flavor: 'mysql',
    rows: [
      {
        ...sourceRow,
        Source_Log_File: 'bin.000002',
        Read_Source_Log_Pos: 5,
        Retrieved_Gtid_Set: '3e11fa47:1-5,\n4e11fa47:1-2',
      },
    ],
    channels: [
      {
        ...healthy,
        reception: {
          position: 'bin.000002:5 3e11fa47:1-5,4e11fa47:1-2',
          heartbeats: null,
          heartbeatMs: null,
          errno: 0,
        },
      },
    ],
  },
  {
    name: 'a lag of several days',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Seconds_Behind_Source: 400_000 }],
    channels: [{ ...healthy, lagMs: 400_000_000 }],
  },
  {
    name: 'numbers as text',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Source_Port: '3307', Seconds_Behind_Source: '12', SQL_Delay: '5' }],
    channels: [{ ...healthy, sourcePort: 3307, lagMs: 12_000, delayMs: 5_000 }],
  },
  {
    name: 'a stopped SQL thread: the lag is unknown',
    flavor: 'mariadb',
    rows: [{ ...masterRow, Slave_SQL_Running: 'No', Seconds_Behind_Master: null }],
    channels: [{ ...healthy, sql: false, lagMs: null }],
  },
  {
    name: 'a stopped IO thread with a backlog: MySQL tells a number, the lag is unknown all the same',
    flavor: 'mysql',
    rows: [{ ...sourceRow, Replica_IO_Running: 'No', Seconds_Behind_Source: 0 }],
    channels: [{ ...healthy, io: 'no', lagMs: null }],
  },
  {
    name: 'a source that refuses connections',
    flavor: 'mysql',
    rows: [
      {
        ...sourceRow,
        Replica_IO_Running: 'Connecting',
        Seconds_Behind_Source: null,
        Last_IO_Errno: 2003,
        Last_IO_Error: "error connecting to master 'repl@db1:3306'",
      },
    ],
    channels: [
      {
        ...healthy,
        io: 'connecting',
        lagMs: null,
        error: "error connecting to master 'repl@db1:3306'",
        reception: { position: '', heartbeats: null, heartbeatMs: null, errno: 2003 },
      },
    ],
  },
  {
    name: 'a thread that is still preparing',
    flavor: 'mariadb',
    rows: [{ ...masterRow, Slave_IO_Running: 'Preparing', Seconds_Behind_Master: null }],
    channels: [{ ...healthy, io: 'connecting', lagMs: null }],
  },
  {
    name: 'a broken SQL thread: its error is the one to show',
    flavor: 'mysql',
    rows: [
      {
        ...sourceRow,
        Replica_SQL_Running: 'No',
        Seconds_Behind_Source: null,
        Last_SQL_Errno: 1062,
        Last_SQL_Error: 'Duplicate entry',
        Last_IO_Error: 'something older',
      },
    ],
    channels: [{ ...healthy, sql: false, lagMs: null, error: 'Duplicate entry', applyErrno: 1062 }],
  },
  {
    name: 'a delayed replica',
    flavor: 'mysql',
    rows: [{ ...sourceRow, SQL_Delay: 3600, Seconds_Behind_Source: 3590, SQL_Remaining_Delay: 10 }],
    channels: [{ ...healthy, delayMs: 3_600_000, lagMs: 3_590_000 }],
  },
  {
    name: 'two channels of MySQL',
    flavor: 'mysql',
    rows: [
      { ...sourceRow, Channel_Name: 'eu' },
      { ...sourceRow, Channel_Name: 'us', Source_Host: 'db9', Seconds_Behind_Source: 9 },
    ],
    channels: [
      { ...healthy, name: 'eu' },
      { ...healthy, name: 'us', sourceHost: 'db9', lagMs: 9_000 },
    ],
  },
  {
    name: 'two connections of MariaDB',
    flavor: 'mariadb',
    rows: [
      { Connection_name: '', ...masterRow },
      {
        Connection_name: 'other',
        ...masterRow,
        Master_Server_Id: 7,
        Slave_IO_Running: 'No',
        Seconds_Behind_Master: null,
      },
    ],
    channels: [healthy, { ...healthy, name: 'other', sourceServerId: 7, io: 'no', lagMs: null }],
  },
  {
    name: 'channels of Group Replication say nothing about lag',
    flavor: 'mysql',
    rows: [
      { ...sourceRow, Channel_Name: 'group_replication_recovery', Replica_IO_Running: 'No' },
      { ...sourceRow, Channel_Name: 'group_replication_applier', Source_Host: '<NULL>' },
    ],
    channels: [],
  },
  {
    name: 'a source that was never named',
    flavor: 'mariadb',
    rows: [{ ...masterRow, Master_Host: '', Slave_IO_Running: 'No', Slave_SQL_Running: 'No' }],
    channels: [],
  },
  {
    name: 'replication filters',
    flavor: 'mariadb',
    rows: [
      {
        ...masterRow,
        Replicate_Do_DB: '',
        Replicate_Ignore_Table: 'shop.cart',
        Replicate_Wild_Ignore_Table: 'a.%,b.%',
        Replicate_Rewrite_DB: null,
      },
    ],
    channels: [
      { ...healthy, filters: ['Replicate_Ignore_Table=shop.cart', 'Replicate_Wild_Ignore_Table=a.%,b.%'] },
    ],
  },
  {
    name: 'columns that nobody expects are no numbers',
    flavor: 'mysql',
    rows: [
      { ...sourceRow, Source_Port: -1, Source_Server_Id: 'x', Seconds_Behind_Source: 'soon', SQL_Delay: 1.5 },
    ],
    channels: [{ ...healthy, sourcePort: 0, sourceServerId: 0, lagMs: null }],
  },
];
