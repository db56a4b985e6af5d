/** The hot spare's virtual address: whoever holds the lease has it, for as long as the lease is certain, and not a second longer. */
import { pause } from '../../common/backoff.js';
import { readBoolean, rejectUnknownOptions } from '../../common/option-reader.js';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';
import {
  addCommand,
  announceCommand,
  type Command,
  type DeviceAddress,
  heldAs,
  lifetimeSeconds,
  probeCommand,
  readDeviceAddress,
  removeCommand,
  showCommand,
} from './address-commands.js';
import type { LeaseContext, LeasedResource } from './leased-resource.js';
import { mustRun, type RunCommand, runCommand } from './run-command.js';

/** Options of {@link virtualIp}. */
export interface VirtualIpOptions {
  /** The address with its prefix, like `10.0.0.100/24`. Configured on no machine. */
  readonly address: string;
  /** The network device that gets it, like `eth0`. */
  readonly device: string;
  /**
   * Whether the neighbours are asked before, and told afterwards, by ARP; needs `arping` of iputils. Default true. False only
   * where something else does it.
   */
  readonly announce?: boolean | undefined;
  /** Runs programs. Default: those of this machine, as this process's user, who needs CAP_NET_ADMIN and CAP_NET_RAW. */
  readonly run?: RunCommand | undefined;
}

/** The neighbours are told after these times, milliseconds, and so late, too: after a split their tables may be wrong without a change. */
const TELL_MS: readonly number[] = [0, 1_000, 2_000, 5_000, 30_000];
/** Longest time for one command, milliseconds. */
const COMMAND_MS = 4_000;
/** Shortest lease that leaves the kernel two whole seconds. */
const MIN_LEASE_MS = 3_500;

/**
 * A virtual address for a {@link LeaderLease}. The address has a lifetime in the kernel, which removes it when this process dies,
 * hangs or is stopped: nobody has to be alive for that.
 *
 * @throws StormlampError `ERR_INVALID_OPTION`.
 */
export function virtualIp(options: VirtualIpOptions): LeasedResource {
  rejectUnknownOptions('virtualIp', options, ['address', 'device', 'announce', 'run']);
  const address = readDeviceAddress('virtualIp', options.address, options.device);
  const announce = readBoolean('virtualIp.announce', options.announce, true);
  return new VirtualIp(address, announce, options.run ?? runCommand);
}

class VirtualIp implements LeasedResource {
  readonly #address: DeviceAddress;
  readonly #announce: boolean;
  readonly #run: RunCommand;

  constructor(address: DeviceAddress, announce: boolean, run: RunCommand) {
    this.#address = address;
    this.#announce = announce;
    this.#run = run;
  }

  readonly check = async (leaseMs: number): Promise<void> => {
    const { ip, device } = this.#address;
    if (leaseMs < MIN_LEASE_MS) {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        `Expected \`leaseMs\` to be at least ${MIN_LEASE_MS} for a virtual address: the kernel counts its life in whole seconds, got \`${leaseMs}\``,
      );
    }
    if ((await this.#held()) === 'permanent') {
      throw new StormlampError(
        ErrorCode.INVALID_OPTION,
        `${ip} is configured on ${device} for good; take it out of this machine's network configuration and off the device (\`ip address delete\`), or two machines will have it`,
      );
    }
    if (!this.#announce) return;
    const { stdout, stderr } = await this.#run('arping', ['-V'], COMMAND_MS).catch(() => ({
      stdout: '',
      stderr: '',
    }));
    if (!/iputils/.test(stdout + stderr))
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        'Telling the neighbours of a virtual address takes `arping` of iputils (on Debian: apt-get install iputils-arping); or set `announce: false` where something else tells them',
      );
    // Else the takeover finds out that it may not, or cannot. Somebody may have the address now.
    await this.#isTaken();
  };

  readonly acquired = async (context: LeaseContext): Promise<void> => {
    const { ip } = this.#address;
    if (this.#announce && (await this.#held()) === 'absent' && (await this.#isTaken()))
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `Another machine answers for ${ip}, although nobody else holds the lease; find out which (\`arping ${ip}\`) and take the address off there`,
      );
    await this.#extend(context);
    // Not waited for: the address needs its first renewal sooner than the neighbours were told three times.
    if (this.#announce) void this.#tell(context);
  };

  readonly renewed = (context: LeaseContext): Promise<void> => this.#extend(context);

  readonly lost = async (): Promise<void> => {
    if ((await this.#held()) !== 'leased') return;
    const [program, ...args] = removeCommand(this.#address);
    const { code, stderr } = await this.#run(program, args, COMMAND_MS);
    // The kernel may have been faster.
    if (code !== 0 && (await this.#held()) !== 'absent')
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `${this.#address.ip} could not be taken off: ${stderr.trim()}`,
      );
  };

  async #extend({ until, signal }: LeaseContext): Promise<void> {
    if (signal.aborted) return;
    const seconds = lifetimeSeconds(until() - performance.now());
    if (seconds < 1) return;
    await this.#command(addCommand(this.#address, seconds));
    // This process, or the command, may have been stopped on the way: the address must not outlive the lease for that.
    if (performance.now() + seconds * 1_000 > until()) await this.#command(removeCommand(this.#address));
  }

  async #tell({ signal, report }: LeaseContext): Promise<void> {
    let told = 0;
    for (const after of TELL_MS) {
      await pause(after - told, signal);
      told = after;
      if (signal.aborted) return;
      // A neighbour that is not told will learn it from the next one, or by asking.
      await this.#command(announceCommand(this.#address, 1)).catch(report);
    }
  }

  /** Whether a neighbour has the address. Rejects where nobody could be asked. */
  async #isTaken(): Promise<boolean> {
    const [program, ...args] = probeCommand(this.#address);
    const { code, stdout, stderr } = await this.#run(program, args, COMMAND_MS);
    if (code === 0 || code === 1) return code === 1;
    const said = (stderr || stdout).trim();
    throw new StormlampError(
      ErrorCode.UNSUPPORTED,
      `\`arping\` cannot ask the neighbours for ${this.#address.ip} (it ended with ${code}${said === '' ? '' : `: ${said}`}); ` +
        `it needs CAP_NET_RAW, and ${this.#address.device} has to be up`,
    );
  }

  async #held(): Promise<ReturnType<typeof heldAs>> {
    try {
      return heldAs(this.#address, await this.#command(showCommand(this.#address)));
    } catch (error) {
      throw new StormlampError(
        ErrorCode.UNSUPPORTED,
        `The network device ${this.#address.device} cannot be looked at: ${describeError(error)}`,
        { cause: error },
      );
    }
  }

  #command([program, ...args]: Command): Promise<string> {
    return mustRun(this.#run, program, args, COMMAND_MS);
  }
}
