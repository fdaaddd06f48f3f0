// Checks of status and headers on their own: what they give, and what they say.
import { expect } from 'chai';
import { checkHeaders, checkStatus, hasHeader } from '../../../src/gateway/headers.ts';

/** What is wrong with these headers, "" for nothing. */
const said = (headers: unknown): string => {
  try {
    checkHeaders(headers, 40);
  } catch (error) {
    return (error as Error).message.replace('Cannot start response: ', '');
  }
  return '';
};

describe('header checks', () => {
  it('give the code and the declared length', () => {
    expect(checkStatus('404 Not Found')).to.equal(404);
    expect(checkHeaders([['A', 'b']], 100)).to.equal(-1);
    expect(checkHeaders([['content-LENGTH', '12']], 100)).to.equal(12);
    // As long a name as Content-Length.
    expect(checkHeaders([['Content-Lenght', 'x']], 100)).to.equal(-1);
  });

  it('say what they found and what they wanted', () => {
    expect(said('x')).to.equal('headers are string "x", wanted an Array of [name, value]');
    expect(said([['A']])).to.equal('a header is Array, wanted [name, value]');
    expect(said([['A:', 'x']])).to.equal('a header name is string "A:", wanted a token of RFC 9110');
    expect(said([['A', 5]])).to.equal('the value of A is 5, wanted a string');
    expect(said([['A', 'a\n']])).to.equal(
      'the value of A is string "a\\n", wanted latin-1 text without control characters',
    );
    expect(said([['Te', 'x']])).to.equal('Te is hop-by-hop and belongs to the server');
    expect(said([['Status', '1']])).to.equal(
      'a header is named Status, which the gateway sets from the status line',
    );
    expect(said([['Content-Length', 'x']])).to.equal('Content-Length is string "x", wanted digits');
    expect(said([['A', 'x'.repeat(36)]])).to.equal(
      'headers are 41 bytes, limits.response_headers_size is 40',
    );
    expect(said([['A', 'x'.repeat(35)]])).to.equal('');
  });

  it('find a header by its lower-case name', () => {
    expect(hasHeader([['X-Y', 'z']], 'x-y')).to.equal(true);
    expect(hasHeader([['X-Z', 'z']], 'x-y')).to.equal(false);
    expect(hasHeader([], 'x-y')).to.equal(false);
  });
});
