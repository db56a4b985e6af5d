/** Reaches the Docker engine through testcontainers, which is loaded only here and only when it is asked for. */
import type { ContainerRuntimeClient } from 'testcontainers';
import { describeError, ErrorCode, StormlampError } from '../../common/stormlamp-error.js';

/** testcontainers and the engine that answers it. */
export interface DockerEngine {
  /** The library. */
  readonly library: typeof import('testcontainers');
  /** The engine. */
  readonly client: ContainerRuntimeClient;
}

/**
 * Connects to the engine.
 *
 * @throws StormlampError `ERR_SERVER_MISSING` when testcontainers is not installed or no engine answers.
 */
export async function connectDockerEngine(): Promise<DockerEngine> {
  let library: DockerEngine['library'];
  try {
    library = await import('testcontainers');
  } catch (error) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      "`driver: 'docker'` needs the package testcontainers (`npm install --save-dev testcontainers`), or leave the option out to use servers of this machine",
      { cause: error },
    );
  }
  try {
    return { library, client: await library.getContainerRuntimeClient() };
  } catch (error) {
    throw new StormlampError(
      ErrorCode.SERVER_MISSING,
      `No Docker engine answers (${describeError(error)}): start one, or set DOCKER_HOST, or leave \`driver: 'docker'\` out to use servers of this machine`,
      { cause: error },
    );
  }
}
