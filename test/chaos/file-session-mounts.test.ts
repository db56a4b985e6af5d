/** Mounts that go wrong under load, with every count of PHP asked for. */
import '../integration/file-session-mounts.test.js';
