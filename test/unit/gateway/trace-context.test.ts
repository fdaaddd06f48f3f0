import { expect } from 'chai';
import { traceContext } from '../../../src/gateway/trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('gateway/trace-context', () => {
  it('takes trace and caller of a traceparent', () => {
    expect(traceContext(`00-${TRACE}-${SPAN}-01`)).to.deep.equal({ traceId: TRACE, spanId: SPAN });
  });

  it('takes what a later version adds', () => {
    const found = { traceId: TRACE, spanId: SPAN };
    expect(traceContext(`01-${TRACE}-${SPAN}-01`)).to.deep.equal(found);
    expect(traceContext(`cc-${TRACE}-${SPAN}-01-what-the-future-brings`)).to.deep.equal(found);
  });

  it('takes nothing else', () => {
    const wrong = [
      undefined,
      7,
      '',
      `00-${TRACE}-${SPAN}`,
      `00-${TRACE}-${SPAN}-01-more`,
      `00-${TRACE}-${SPAN}-01\n`,
      `01-${TRACE}-${SPAN}-01.more`,
      `ff-${TRACE}-${SPAN}-01`,
      `00-${'0'.repeat(32)}-${SPAN}-01`,
      `00-${TRACE}-${'0'.repeat(16)}-01`,
      `00-${TRACE.toUpperCase()}-${SPAN}-01`,
      `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
      `00-${TRACE}","x":"-${SPAN}-01`,
    ];
    expect(wrong.filter((each) => traceContext(each) !== null)).to.deep.equal([]);
  });
});
