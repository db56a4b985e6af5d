/** The system's tables in which every server shows itself: its sessions, locks, counters, files, logs and settings. */

/** Schemas that have such tables beside others. */
export const MIXED_SCHEMAS = 'information_schema mysql';

/** Schemas that have no others. As `sys` may also be the alias of a table, these count before a point only. */
export const LOCAL_SCHEMAS = 'sys';

/** Such tables of the mixed schemas, of every version of MySQL and MariaDB. */
export const LOCAL_TABLES: string =
  // information_schema: sessions, counters and settings
  'processlist profiling optimizer_trace global_status session_status global_variables session_variables ' +
  'system_variables user_statistics client_statistics index_statistics table_statistics metadata_lock_info ' +
  'user_variables thread_pool_groups thread_pool_queues thread_pool_stats thread_pool_waits ' +
  'tp_thread_state tp_thread_group_state tp_thread_group_stats connection_control_failed_login_attempts ' +
  'mysql_firewall_users mysql_firewall_whitelist query_cache_info query_response_time query_response_time_read ' +
  'query_response_time_read_write query_response_time_write slave_status wsrep_membership wsrep_status ' +
  'feedback plugins all_plugins disks key_caches optimizer_costs ' +
  'temp_tables_info ' +
  // information_schema: InnoDB
  'innodb_buffer_page innodb_buffer_page_lru innodb_buffer_pool_pages innodb_buffer_pool_stats innodb_cached_indexes ' +
  'innodb_changed_pages innodb_cmp innodb_cmp_per_index innodb_cmp_per_index_reset innodb_cmp_reset innodb_cmpmem ' +
  'innodb_cmpmem_reset innodb_ft_being_deleted innodb_ft_config innodb_ft_deleted innodb_ft_index_cache ' +
  'innodb_ft_index_table innodb_lock_waits innodb_locks innodb_metrics innodb_mutexes innodb_session_temp_tablespaces ' +
  'innodb_sys_semaphore_waits innodb_sys_tablestats innodb_tablestats innodb_tablespaces_encryption innodb_tablespaces_scrubbing innodb_temp_table_info innodb_trx ' +
  // mysql
  'general_log slow_log gtid_executed gtid_slave_pos innodb_index_stats innodb_table_stats innodb_ddl_log ' +
  'slave_master_info slave_relay_log_info slave_worker_info ' +
  'wsrep_cluster_members wsrep_streaming_log replication_asynchronous_connection_failover';
