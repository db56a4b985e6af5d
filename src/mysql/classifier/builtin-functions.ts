/**
 * Built-in functions, as live servers document them and answer to them; made by `scripts/generate-function-lists.mjs`.
 * Left out: what locks, waits for others or changes something, and what a stored function of the same name can replace.
 */

/** Functions of MySQL 9.7 that only read. */
export const MYSQL_FUNCTIONS: string =
  'abs acos adddate addtime aes_decrypt aes_encrypt any_value ascii asin atan atan2 avg benchmark bin ' +
  'bin_to_uuid bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length ' +
  'character_length charset coalesce coercibility collation compress concat concat_ws conv convert ' +
  'convert_tz cos cot count crc32 cume_dist curdate current_date current_role current_time current_timestamp ' +
  'current_user curtime database date date_add date_format date_sub datediff day dayname dayofmonth ' +
  'dayofweek dayofyear default degrees dense_rank elt exp export_set extract extractvalue field find_in_set ' +
  'first_value floor format format_bytes format_pico_time from_base64 from_days from_unixtime geomcollection ' +
  'geometrycollection get_format greatest group_concat grouping gtid_subset gtid_subtract hex hour ' +
  'icu_version if ifnull inet6_aton inet6_ntoa inet_aton inet_ntoa insert instr interval is_ipv4 ' +
  'is_ipv4_compat is_ipv4_mapped is_ipv6 is_uuid isnull json_array json_array_append json_array_insert ' +
  'json_arrayagg json_contains json_contains_path json_depth json_extract json_insert json_keys json_length ' +
  'json_merge json_merge_patch json_merge_preserve json_object json_objectagg json_overlaps json_pretty ' +
  'json_quote json_remove json_replace json_schema_valid json_schema_validation_report json_search json_set ' +
  'json_storage_free json_storage_size json_type json_unquote json_valid json_value lag last_day last_value ' +
  'lcase lead least left length linestring ln localtime localtimestamp locate log log10 log2 lower lpad ' +
  'ltrim make_set makedate maketime max mbrcontains mbrcoveredby mbrcovers mbrdisjoint mbrequals ' +
  'mbrintersects mbroverlaps mbrtouches mbrwithin microsecond mid min minute mod month monthname ' +
  'multilinestring multipoint multipolygon name_const now nth_value ntile nullif oct octet_length ord ' +
  'percent_rank period_add period_diff pi point polygon position pow power quarter quote radians rand ' +
  'random_bytes rank regexp_instr regexp_like regexp_replace regexp_substr repeat replace reverse right ' +
  'roles_graphml round row_number rpad rtrim schema sec_to_time second session_user sha2 sign sin sleep ' +
  'soundex space sqrt st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt st_buffer ' +
  'st_buffer_strategy st_centroid st_collect st_contains st_convexhull st_crosses st_difference st_dimension ' +
  'st_disjoint st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring ' +
  'st_frechetdistance st_geohash st_geomcollfromtext st_geomcollfromwkb st_geometrycollectionfromtext ' +
  'st_geometrycollectionfromwkb st_geometryfromtext st_geometryfromwkb st_geometryn st_geometrytype ' +
  'st_geomfromgeojson st_geomfromtext st_geomfromwkb st_hausdorffdistance st_interiorringn st_intersection ' +
  'st_intersects st_isclosed st_isempty st_issimple st_isvalid st_latfromgeohash st_latitude st_length ' +
  'st_linefromtext st_linefromwkb st_lineinterpolatepoint st_lineinterpolatepoints st_linestringfromtext ' +
  'st_linestringfromwkb st_longfromgeohash st_longitude st_makeenvelope st_mlinefromtext st_mlinefromwkb ' +
  'st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_numgeometries st_numinteriorring ' +
  'st_numinteriorrings st_numpoints st_overlaps st_pointatdistance st_pointfromgeohash st_pointfromtext ' +
  'st_pointfromwkb st_pointn st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb st_simplify ' +
  'st_srid st_startpoint st_swapxy st_symdifference st_touches st_transform st_union st_validate st_within ' +
  'st_x st_y statement_digest statement_digest_text std stddev stddev_pop stddev_samp str_to_date strcmp ' +
  'string_to_vector subdate substr substring substring_index subtime sum sysdate system_user tan time ' +
  'time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_days to_seconds trim ' +
  'truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml upper user utc_date utc_time ' +
  'utc_timestamp uuid uuid_short uuid_to_bin validate_password_strength var_pop var_samp variance vector_dim ' +
  'vector_to_string version week weekday weekofyear weight_string year yearweek';

/** More that some versions of MySQL have. */
export const MYSQL_VERSION_FUNCTIONS: string = 'md5 sha sha1';

/** Functions of MariaDB 10.11 and 11.8 that only read. */
export const MARIADB_FUNCTIONS: string =
  'abs acos add_months adddate addtime aes_decrypt aes_encrypt ascii asin atan atan2 avg benchmark bin ' +
  'bit_and bit_count bit_length bit_or bit_xor cast ceil ceiling char char_length character_length charset ' +
  'chr coalesce coercibility collation column_add column_check column_create column_delete column_exists ' +
  'column_json column_list compress concat concat_operator_oracle concat_ws contains conv convert convert_tz ' +
  'cos cot count crc32 crc32c cume_dist curdate current_date current_role current_time current_timestamp ' +
  'current_user curtime database date date_add date_format date_sub datediff day dayname dayofmonth ' +
  'dayofweek dayofyear decode decode_histogram decode_oracle default degrees dense_rank elt encode encrypt ' +
  'exp export_set extract extractvalue field find_in_set first_value floor format from_base64 from_days ' +
  'from_unixtime get_format greatest group_concat hex hour if ifnull inet6_aton inet6_ntoa inet_aton ' +
  'inet_ntoa insert instr interval is_ipv4 is_ipv4_compat is_ipv4_mapped is_ipv6 isnull json_array ' +
  'json_array_append json_array_insert json_arrayagg json_compact json_contains json_contains_path ' +
  'json_depth json_detailed json_equals json_exists json_extract json_insert json_keys json_length ' +
  'json_loose json_merge json_merge_patch json_merge_preserve json_normalize json_object json_objectagg ' +
  'json_overlaps json_pretty json_query json_quote json_remove json_replace json_search json_set json_type ' +
  'json_unquote json_valid json_value lag last_day last_value lcase lead least left length lengthb ln ' +
  'localtime localtimestamp locate log log10 log2 lower lpad lpad_oracle ltrim ltrim_oracle make_set ' +
  'makedate maketime max mbrcontains mbrdisjoint mbrequals mbrintersects mbroverlaps mbrtouches mbrwithin ' +
  'md5 median microsecond mid min minute mod month monthname name_const natural_sort_key now nth_value ntile ' +
  'nullif nvl nvl2 oct octet_length old_password ord overlaps password percent_rank percentile_cont ' +
  'percentile_disc period_add period_diff pi position pow power quarter quote radians rand random_bytes rank ' +
  'regexp_instr regexp_replace regexp_substr repeat replace replace_oracle reverse right round row_number ' +
  'rownum rpad rpad_oracle rtrim rtrim_oracle schema sec_to_time second session_user sformat sha sha1 sha2 ' +
  'sign sin sleep soundex space sqrt srid st_area st_asbinary st_asgeojson st_astext st_aswkb st_aswkt ' +
  'st_buffer st_centroid st_contains st_convexhull st_crosses st_difference st_dimension st_disjoint ' +
  'st_distance st_distance_sphere st_endpoint st_envelope st_equals st_exteriorring st_geomcollfromtext ' +
  'st_geomcollfromwkb st_geometrycollectionfromtext st_geometrycollectionfromwkb st_geometryfromtext ' +
  'st_geometryfromwkb st_geometryn st_geometrytype st_geomfromgeojson st_geomfromtext st_geomfromwkb ' +
  'st_interiorringn st_intersection st_intersects st_isclosed st_isempty st_isring st_issimple st_length ' +
  'st_linefromtext st_linefromwkb st_linestringfromtext st_linestringfromwkb st_mlinefromtext ' +
  'st_mlinefromwkb st_mpointfromtext st_mpointfromwkb st_mpolyfromtext st_mpolyfromwkb st_numgeometries ' +
  'st_numinteriorrings st_numpoints st_overlaps st_pointfromtext st_pointfromwkb st_pointn st_pointonsurface ' +
  'st_polyfromtext st_polyfromwkb st_polygonfromtext st_polygonfromwkb st_srid st_startpoint ' +
  'st_symdifference st_touches st_union st_within st_x st_y std stddev stddev_pop stddev_samp str_to_date ' +
  'strcmp subdate substr substr_oracle substring substring_index subtime sum sys_guid sysdate system_user ' +
  'tan time time_format time_to_sec timediff timestamp timestampadd timestampdiff to_base64 to_char to_days ' +
  'to_seconds trim trim_oracle truncate ucase uncompress uncompressed_length unhex unix_timestamp updatexml ' +
  'upper user utc_date utc_time utc_timestamp uuid uuid_short var_pop var_samp variance version week weekday ' +
  'weekofyear weight_string within year yearweek';

/** More that some versions of MariaDB have. */
export const MARIADB_VERSION_FUNCTIONS: string =
  'format_bytes format_pico_time json_array_intersect json_key_value json_object_filter_keys ' +
  'json_object_to_array json_schema_valid kdf uuid_v4 uuid_v7 vec_distance vec_distance_cosine ' +
  'vec_distance_euclidean vec_fromtext vec_totext';

/** Functions that only read, but what they read is the server or the connection they run on. */
export const LOCAL_FUNCTIONS: string =
  'binlog_gtid_pos des_decrypt des_encrypt is_free_lock is_used_lock load_file master_gtid_wait ' +
  'master_pos_wait ps_current_thread_id ps_thread_id source_pos_wait wait_for_executed_gtid_set ' +
  'wsrep_last_seen_gtid wsrep_last_written_gtid wsrep_sync_wait_upto_gtid';

/** Functions that are only meant when the parenthesis touches the name; with a blank, it may be a stored function. */
export const TOUCHING_FUNCTIONS: string =
  'adddate bit_and bit_or bit_xor cast count cume_dist curdate curtime date_add date_sub dense_rank extract ' +
  'first_value group_concat json_arrayagg json_objectagg lag lead max median mid min now nth_value ntile ' +
  'percent_rank percentile_cont percentile_disc position rank session_user st_collect std stddev stddev_pop ' +
  'stddev_samp subdate substr substring sum sysdate system_user trim trim_oracle var_pop var_samp variance';
