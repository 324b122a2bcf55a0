/**
 * Giving another path to a compiled program: replaces a NUL-terminated text inside its bytes, in place.
 */

/**
 * A copy in which every occurrence of `from` as a whole text (a NUL before and after it) reads `to`, filled up with NULs;
 * undefined when there is none. Throws RangeError when `to` is longer: it would run into what follows.
 */
export function replaceText(bytes: Buffer, from: string, to: string): Buffer | undefined {
  const [old, text] = [Buffer.from(`\0${from}\0`), Buffer.from(to)];
  if (text.length > old.length - 2) throw new RangeError(`${to} is longer than ${from}`);
  const replacement = Buffer.alloc(old.length);
  text.copy(replacement, 1);

  const copy = Buffer.from(bytes);
  let found = 0;
  for (let at = copy.indexOf(old); at !== -1; at = copy.indexOf(old, at + 1)) {
    replacement.copy(copy, at);
    found += 1;
  }
  return found === 0 ? undefined : copy;
}
