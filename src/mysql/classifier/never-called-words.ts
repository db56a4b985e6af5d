/**
 * Words that may stand before a parenthesis without being the name of a function there. An integration test makes a
 * stored function of each of these names and shows that the word before a parenthesis does not call it.
 */

/** Such words of both families. */
export const NEVER_CALLED: string =
  'all analyze and any as between bigint binary by case collate cross dec decimal delayed desc describe distinct distinctrow div double else ' +
  'except exists explain float for force from group having ignore in index inner int integer intersect into is join key ' +
  'keys left like limit lock match mediumint natural not numeric on or order outer over partition range recursive regexp ' +
  'right rlike row rows select smallint some sql_big_result sql_calc_found_rows sql_small_result straight_join table then ' +
  'tinyint to union unique update use using values varbinary varchar when where while window with xor';

/** Such words of MySQL alone. */
export const NEVER_CALLED_ON_MYSQL: string = 'escape lateral of';
