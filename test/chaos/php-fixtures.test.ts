/** All recorded answers of PHP, compared with what PHP says now; the network must answer for names and addresses that are none. */
import '../integration/php-fixtures.test.js';
