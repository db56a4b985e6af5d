import { expect, test } from 'vitest';
import { ProgressPrinter } from '../../../src/cli/progress-printer.js';

function collector(): { out: NodeJS.WriteStream; written: string[] } {
  const written: string[] = [];
  return {
    written,
    out: { columns: 30, write: (text: string) => written.push(text) > 0 } as unknown as NodeJS.WriteStream,
  };
}

test('on a terminal one line is drawn over, cut to its width, and cleared at the end', () => {
  const { out, written } = collector();
  const printer = new ProgressPrinter(true, out);
  printer.show({ phase: 'download', message: 'Downloading 25 %' });
  printer.show({ phase: 'download', message: 'x'.repeat(100) });
  printer.end();
  const esc = String.fromCharCode(27);
  expect(written).toEqual([`\r${esc}[KDownloading 25 %`, `\r${esc}[K${'x'.repeat(28)}…`, `\r${esc}[K`]);
});

test('elsewhere every phase gets a line, and a repeated phase not every time', () => {
  const { out, written } = collector();
  const printer = new ProgressPrinter(false, out);
  printer.show({ phase: 'index', message: 'Reading' });
  for (let done = 0; done < 1000; done += 1)
    printer.show({ phase: 'download', message: `Downloading ${done}` });
  printer.end();
  expect(written).toEqual(['Reading\n', 'Downloading 0\n']);
});
