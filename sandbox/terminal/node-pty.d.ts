/// <reference path="../../node_modules/node-pty/node-pty.d.ts" />
// package.json takes node-pty from @lydell/node-pty (the same code with prebuilt binaries: no compiler needed), whose types
// are declared under that name.
declare module 'node-pty' {
  export * from '@lydell/node-pty'
}
