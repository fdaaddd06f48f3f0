// The gateway's own answers.
import { expect } from 'chai';
import { errorPage } from '../../../src/gateway/error-page.ts';

describe('error pages', () => {
  it('are short plain text with the request id, and say when to come back', () => {
    const page = errorPage(503, 'r-1', 5);
    expect(page.status).to.equal('503 Service Unavailable');
    expect(page.headers).to.deep.equal([
      ['Content-Type', 'text/plain; charset=utf-8'],
      ['Cache-Control', 'no-store'],
      ['Retry-After', '5'],
    ]);
    expect(page.body.toString()).to.equal('503 Service Unavailable\n\nRequest id: r-1\n');
    expect(errorPage(500, 'r').headers).to.have.lengthOf(2);
    expect(errorPage(599, 'r').status).to.equal('599 Error');
  });
});
