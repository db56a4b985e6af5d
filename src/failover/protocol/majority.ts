/** How many of all voters decide: more than half of those that are configured, whether they answer or not. */

/** The smallest number that is more than half of `voters`. */
export function majorityOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** The rank-th largest of `numbers`, or -Infinity when there are fewer: until when so many of them hold. */
export function rankedFromTop(numbers: readonly number[], rank: number): number {
  if (rank < 1) return Number.POSITIVE_INFINITY;
  return [...numbers].sort((a, b) => b - a)[rank - 1] ?? Number.NEGATIVE_INFINITY;
}
