/** Express 4, as far as tests use it, has the types of Express 5. */
declare module 'express4' {
  const express: typeof import('express');
  export = express;
}
