/** Mounts that go wrong under load, twenty times each. */
import '../integration/file-session-mounts.test.js';
