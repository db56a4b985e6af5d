/**
 * Words that may stand before a parenthesis without being the name of a function there. An integration test makes a
 * stored function of each of these names and shows that the word before a parenthesis does not call it.
 */

/** Such words of both families. */
export const NEVER_CALLED: string =
  'all and as between binary by case collate cross delayed distinct distinctrow div else escape except exists explain ' +
  'force for from group having ignore in index inner intersect into is join key keys lateral left like limit lock ' +
  'match natural not on or order outer over partition range recursive regexp right rlike row rows select sql_big_result ' +
  'sql_calc_found_rows sql_small_result straight_join table then to union unique update use using values varchar ' +
  'varbinary decimal dec numeric float double int integer bigint smallint tinyint mediumint when where while window ' +
  'with xor';

/** Such words of MySQL alone. */
export const NEVER_CALLED_ON_MYSQL: string = 'of lateral grouping';

/** Such words of MariaDB alone. */
export const NEVER_CALLED_ON_MARIADB: string = 'minus';
