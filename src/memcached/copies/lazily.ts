/** Makes something when it is asked for first: hashes are only needed when a copy is missed or a race is lost, and most writes never ask. */
export function lazily<T extends object>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
