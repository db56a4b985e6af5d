import { expect, test } from 'vitest';
import { accountName, localAccounts, sqlText } from '../../../../src/testing/database/local-accounts.js';

test('texts become literals that cannot be left', () => {
  expect(sqlText('plain')).toBe("'plain'");
  expect(sqlText("a'b")).toBe("'a''b'");
  // A backslash means something else under NO_BACKSLASH_ESCAPES.
  expect(() => sqlText("a\\'b")).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
  expect(() => sqlText('a\nb')).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }));
});

test('every cluster has passwords of its own, and the application can bring one', () => {
  const first = localAccounts({ user: 'app' });
  const second = localAccounts({ user: 'app', password: "it's" });
  expect(new Set([first.admin, first.app, first.monitor, first.repl].map((each) => each.password)).size).toBe(
    4,
  );
  expect(first.admin.password).not.toBe(second.admin.password);
  expect(second.app).toEqual({ user: 'app', password: "it's" });
  expect(accountName(second.app)).toBe("'app'@'%'");
});
