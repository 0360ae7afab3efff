/** Begins a line: does what stands there again until `condition` holds; the line itself may not last longer than any other. */
export const until = (condition: string) => `until ${condition}; do sleep 0.2; done`

/**
 * Begins a line with a server of kubectl's in the background; it goes on when that listens, with `$address`, and ends with
 * `kill $!`. What an earlier one has said is gone before it is looked for.
 */
export const serving = (command: string) =>
  `: >said; kubectl ${command} >said 2>&1 & ${until('grep -q 127.0.0.1 said')}; address=$(grep -om1 '127[0-9.:]*' said)`

/** Ends such a line: what the server has said, without the port that it was given. */
export const said = "kill $!; sed -E 's/[0-9]{5}/<port>/' said"
