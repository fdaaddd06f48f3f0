// The platform's own classes, whatever another test of the process may have put in their place.
export {
  nativeFetch as fetch,
  NativeHeaders as Headers,
  NativeRequest as Request,
  NativeResponse as Response,
} from '../../../../src/apps/fetch/natives.ts';
