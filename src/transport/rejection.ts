// The answer to a request that never reaches the gateway, because its protocol was broken.
import { errorPage, type ErrorPage } from '../gateway/error-page.ts';
import { requestId } from '../gateway/request-id.ts';

export const rejection = (status: number, retryAfter?: number): ErrorPage =>
  errorPage(status, requestId(undefined), retryAfter);
