import { expect } from 'chai';
import { buildParams, type ParamsInput } from '../../../../src/cli/client/request-params.ts';

const input: ParamsInput = {
  method: 'POST',
  target: '/app/%C3%A9//x?a=b%20c',
  headers: [
    ['Host', 'Example.com:8080'],
    ['Content-Type', 'text/plain'],
    ['X-Twice', '1'],
    ['X-Twice', '2'],
  ],
  bodySize: 3,
};

describe('buildParams', () => {
  it('gives FastCGI the path as SCRIPT_NAME, decoded', () => {
    const params = new Map(buildParams('fastcgi', input, []));
    expect(params.get('SCRIPT_NAME')).to.equal('/app/\xc3\xa9/x');
    expect(params.has('PATH_INFO')).to.equal(false);
    expect(params.get('DOCUMENT_URI')).to.equal('/app/\xc3\xa9/x');
    expect(params.get('REQUEST_URI')).to.equal('/app/%C3%A9//x?a=b%20c');
    expect(params.get('QUERY_STRING')).to.equal('a=b%20c');
    expect(params.get('REQUEST_METHOD')).to.equal('POST');
    expect(params.get('CONTENT_LENGTH')).to.equal('3');
    expect(params.get('CONTENT_TYPE')).to.equal('text/plain');
    expect(params.get('SERVER_NAME')).to.equal('example.com');
    expect(params.get('SERVER_PORT')).to.equal('8080');
    expect(params.get('HTTP_HOST')).to.equal('Example.com:8080');
  });

  it('gives uwsgi the path as PATH_INFO and SCGI neither', () => {
    const uwsgi = new Map(buildParams('uwsgi', input, []));
    expect(uwsgi.get('PATH_INFO')).to.equal('/app/\xc3\xa9/x');
    expect(uwsgi.has('SCRIPT_NAME')).to.equal(false);
    const scgi = new Map(buildParams('scgi', input, []));
    expect([scgi.has('PATH_INFO'), scgi.has('SCRIPT_NAME')]).to.deep.equal([false, false]);
    expect(scgi.get('SCGI')).to.equal('1');
  });

  it('sends repeated and content headers as nginx does', () => {
    const params = buildParams('uwsgi', input, []);
    expect(params.filter(([name]) => name === 'HTTP_X_TWICE').map(([, value]) => value)).to.deep.equal([
      '1',
      '2',
    ]);
    expect(new Map(params).get('HTTP_CONTENT_TYPE')).to.equal('text/plain');
  });

  it('leaves CONTENT_LENGTH empty without a body, but never for SCGI, where it comes first', () => {
    const bare = { ...input, bodySize: -1 };
    expect(new Map(buildParams('fastcgi', bare, [])).get('CONTENT_LENGTH')).to.equal('');
    expect(buildParams('scgi', bare, [])[0]).to.deep.equal(['CONTENT_LENGTH', '0']);
  });

  it('lets -p replace in place and add at the end, the last one winning', () => {
    const params = buildParams('fastcgi', input, [
      ['SCRIPT_NAME', ''],
      ['MORE', '1'],
      ['MORE', '2'],
      ['HTTP_X_TWICE', 'once'],
    ]);
    const names = params.map(([name]) => name);
    expect(new Map(params).get('SCRIPT_NAME')).to.equal('');
    expect(names.filter((name) => name === 'SCRIPT_NAME')).to.have.length(1);
    expect(params.filter(([name]) => name === 'HTTP_X_TWICE')).to.deep.equal([['HTTP_X_TWICE', 'once']]);
    expect(params.at(-1)).to.deep.equal(['MORE', '2']);
  });
});
