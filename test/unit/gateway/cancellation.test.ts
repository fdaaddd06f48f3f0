// How a request that is given up is told of: to applications by a signal, inside viaduct without one.
import { expect } from 'chai';
import { Cancellation } from '../../../src/gateway/cancellation.ts';
import { makeEnviron, whenCancelled } from '../../../src/gateway/environ.ts';
import { ErrorLines } from '../../../src/gateway/error-stream.ts';
import { Input } from '../../../src/gateway/input.ts';
import { FakeBody } from '../../helpers/fake-exchange.ts';

describe('gateway/cancellation', () => {
  it('tells its listener and its signal once, with the first reason', () => {
    const told: unknown[] = [];
    const cancellation = new Cancellation();
    const { signal } = cancellation;
    signal.addEventListener('abort', () => told.push(['signal', signal.reason]));
    cancellation.listen((reason) => told.push(['listener', reason]));
    cancellation.cancel('first');
    cancellation.cancel('second');
    expect(told).to.deep.equal([
      ['listener', 'first'],
      ['signal', 'first'],
    ]);
  });

  it('tells who asks late', () => {
    const cancellation = new Cancellation();
    cancellation.cancel('gone');
    let told: unknown;
    cancellation.listen((reason) => (told = reason));
    expect([told, cancellation.signal.aborted, cancellation.signal.reason]).to.deep.equal([
      'gone',
      true,
      'gone',
    ]);
    expect(cancellation.signal).to.equal(cancellation.signal);
  });

  describe('whenCancelled()', () => {
    const setUp = () => {
      const cancellation = new Cancellation();
      const errors = new ErrorLines({ appLine: () => undefined, warned: () => undefined });
      return { cancellation, environ: makeEnviron([], new Input(new FakeBody()), errors, cancellation) };
    };

    it('hears of the request', () => {
      const { cancellation, environ } = setUp();
      let told: unknown;
      whenCancelled(environ, (reason) => (told = reason));
      cancellation.cancel('gone');
      expect(told).to.equal('gone');
    });

    it('hears of the signal that a middleware has put in its place, in a copy too', () => {
      const { cancellation, environ } = setUp();
      const own = new AbortController();
      const told: unknown[] = [];
      environ['viaduct.signal'] = own.signal;
      whenCancelled(environ, (reason) => told.push(reason));
      whenCancelled(Object.assign({}, environ), (reason) => told.push(reason));
      cancellation.cancel('gone');
      expect(told).to.deep.equal([]);
      own.abort('own');
      whenCancelled(environ, (reason) => told.push(reason));
      expect(told).to.deep.equal(['own', 'own', 'own']);
    });
  });
});
