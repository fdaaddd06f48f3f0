// viaduct:request-id: where an id comes from, and where it goes.
import { expect } from 'chai';
import { answering } from '../../../helpers/fake-gateway.ts';
import { bytes } from '../../../helpers/mini-gateway.ts';
import { Seen, Stand } from './stand.ts';

const MADE = /^[0-9a-f]{12}-[0-9a-z]+$/;

interface Case {
  what: string;
  options: object;
  given: Record<string, string>;
  header: string;
  /** The id. */
  id: string | RegExp;
}

const CASES: Case[] = [
  { what: 'makes one', options: {}, given: {}, header: 'X-Request-ID', id: MADE },
  {
    what: 'takes a good one',
    options: {},
    given: { HTTP_X_REQUEST_ID: 'abc' },
    header: 'X-Request-ID',
    id: 'abc',
  },
  {
    what: 'takes no bad one',
    options: {},
    given: { HTTP_X_REQUEST_ID: 'a b' },
    header: 'X-Request-ID',
    id: MADE,
  },
  {
    what: 'takes none where it shall not',
    options: { trust: false },
    given: { HTTP_X_REQUEST_ID: 'abc' },
    header: 'X-Request-ID',
    id: MADE,
  },
  {
    what: 'takes it from another header',
    options: { header: 'X-Correlation-Id' },
    given: { HTTP_X_REQUEST_ID: 'abc', HTTP_X_CORRELATION_ID: 'def' },
    header: 'X-Correlation-Id',
    id: 'def',
  },
  {
    what: 'takes what the gateway took where the other header has none',
    options: { header: 'X-Correlation-Id' },
    given: { HTTP_X_REQUEST_ID: 'abc' },
    header: 'X-Correlation-Id',
    id: 'abc',
  },
];

describe('viaduct:request-id', () => {
  for (const { what, options, given, header, id } of CASES) {
    it(what, async () => {
      const seen = new Seen();
      const stand = await Stand.make(seen.app, [['viaduct:request-id', { ...options }]]);
      const answer = await stand.get('/', given);
      const found = answer.header(header) ?? '';
      if (typeof id === 'string') expect(found).to.equal(id);
      else expect(found).to.match(id);
      const key = `HTTP_${header.toUpperCase().replaceAll('-', '_')}`;
      expect(seen.values('viaduct.request_id', key)).to.deep.equal([found, found]);
      expect(stand.events.requests[0]?.environ['viaduct.request_id'], 'what is logged').to.equal(found);
    });
  }

  it('gives each request its own', async () => {
    const stand = await Stand.make(new Seen().app, [['viaduct:request-id', {}]]);
    const ids = [await stand.get('/'), await stand.get('/')].map((answer) => answer.header('x-request-id'));
    expect(new Set(ids).size).to.equal(2);
  });

  it("stands in the place of the application's own, and leaves other headers and the body", async () => {
    const app = answering(
      [bytes('a'), bytes('b')],
      [
        ['x-request-id', 'mine'],
        ['Content-Type', 'text/plain'],
        ['X-Other', '1'],
      ],
    );
    const stand = await Stand.make(app, [['viaduct:request-id', {}]]);
    const answer = await stand.get('/', { HTTP_X_REQUEST_ID: 'abc' });
    expect(answer.headers).to.deep.include.members([
      ['Content-Type', 'text/plain'],
      ['X-Other', '1'],
      ['X-Request-ID', 'abc'],
    ]);
    expect(answer.headers.filter(([name]) => name.toLowerCase() === 'x-request-id')).to.have.lengthOf(1);
    expect(answer.sent).to.equal('ab');
  });

  it('sends none where it shall not', async () => {
    const stand = await Stand.make(new Seen().app, [['viaduct:request-id', { response: false }]]);
    expect((await stand.get('/')).header('x-request-id')).to.equal(undefined);
  });

  it('passes on excInfo', async () => {
    const stand = await Stand.make(
      (_environ, startResponse) => {
        startResponse('200 OK', [['Content-Type', 'text/plain']]);
        startResponse('500 Oops', [['Content-Type', 'text/plain']], new Error('late'));
        return [bytes('x')];
      },
      [['viaduct:request-id', {}]],
    );
    expect((await stand.get('/', { HTTP_X_REQUEST_ID: 'abc' })).status).to.equal('500 Oops');
  });

  it('leaves headers that are no list to the server', async () => {
    const seen = new Seen();
    const stand = await Stand.make(
      (environ, startResponse) => {
        expect(() => startResponse('200 OK', 'x' as never)).to.throw(/headers must be an Array/);
        return seen.app(environ, (status, headers) => startResponse(status, headers, new Error('again')));
      },
      [['viaduct:request-id', {}]],
    );
    expect((await stand.get('/')).sent).to.equal('from the app');
  });
});
