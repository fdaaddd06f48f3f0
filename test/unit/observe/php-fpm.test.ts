// php-fpm's fields: the names are those of php-src sapi/fpm/fpm/fpm_status.c, in its order.
import { expect } from 'chai';
import { phpFpmStatus } from '../../../src/observe/php-fpm.ts';
import { sampleStatus } from '../../helpers/status.ts';

describe('observe/php-fpm', () => {
  it('has the fields of the pool', () => {
    expect(JSON.stringify(phpFpmStatus(sampleStatus(), false), null, 1)).to.equal(`{
 "pool": "viaduct",
 "process manager": "static",
 "start time": 1767322800,
 "start since": 245,
 "accepted conn": 1238,
 "listen queue": 1,
 "max listen queue": 5,
 "listen queue len": 256,
 "idle processes": 1,
 "active processes": 1,
 "total processes": 2,
 "max active processes": 2,
 "max children reached": 9,
 "slow requests": 7
}`);
  });

  it('has the processes with full, each with its oldest request', () => {
    const { processes } = phpFpmStatus(sampleStatus(), true) as { processes: object[] };
    expect(processes).to.deep.equal([
      {
        pid: 101,
        state: 'Running',
        'start time': 1767323045 - 60,
        'start since': 60,
        requests: 1000,
        'request duration': 3_250_000,
        'request method': 'GET',
        'request uri': '/api/slow?x=1',
        'content length': 17,
        user: '-',
        script: 'api',
        'last request cpu': 42,
        'last request memory': 90 * 1024 ** 2,
      },
      {
        pid: 102,
        state: 'Idle',
        'start time': 1767323045 - 61,
        'start since': 61,
        requests: 50,
        'request duration': 0,
        'request method': '-',
        'request uri': '-',
        'content length': 0,
        user: '-',
        script: '/blog',
        'last request cpu': 10,
        'last request memory': 40 * 1024 ** 2,
      },
    ]);
  });
});
