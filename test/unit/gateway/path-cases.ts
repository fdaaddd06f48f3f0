// Request URIs and the path nginx 1.22 makes of them ($uri; null where it answers 400), measured; the integration test
// request-path.test.ts asks the nginx at hand again. `ours` only where that differs: nothing that nginx refuses reaches
// us through it, and over plain HTTP the path need only be safe.

export interface PathCase {
  readonly uri: string;
  readonly nginx: string | null;
  readonly ours?: string;
}

const same = (uri: string, nginx: string): PathCase => ({ uri, nginx });
const refused = (uri: string, ours: string): PathCase => ({ uri, nginx: null, ours });

export const PATH_CASES: readonly PathCase[] = [
  same('/', '/'),
  same('/a/b', '/a/b'),
  // Percent-encoding is decoded once; a slash that was encoded is a slash.
  same('/a%20b', '/a b'),
  same('/a%2Fb', '/a/b'),
  same('/a%2fb%2f', '/a/b/'),
  same('/%2F', '/'),
  same('/%2Fa', '/a'),
  same('/%25', '/%'),
  same('/%2541', '/%41'),
  same('/%25%34%31', '/%41'),
  same('/a%0Ab', '/a\nb'),
  same('/a%7F', '/a\x7f'),
  same('/a%5Cb\\c', '/a\\b\\c'),
  same('/a+b%2Bc', '/a+b+c'),
  same('/a;b=c:d', '/a;b=c:d'),
  // Bytes stay bytes: UTF-8, sent raw or encoded, and what is no UTF-8.
  same('/%C3%A9', '/\xc3\xa9'),
  same('/\xc3\xa9', '/\xc3\xa9'),
  same('/%e9%FF', '/\xe9\xff'),
  // Query and fragment are no part of it, encoded they are.
  same('/a?b', '/a'),
  same('/a?b#c', '/a'),
  same('/a#b', '/a'),
  same('/a#b?c', '/a'),
  same('/?../..', '/'),
  same('/a/..?x', '/'),
  same('/a%3Fb', '/a?b'),
  same('/a%3fb?c', '/a?b'),
  same('/a%23b', '/a#b'),
  same('/a%3F/../b', '/b'),
  // Dot segments, also encoded, also behind an encoded slash.
  same('/a/../b', '/b'),
  same('/a/./b', '/a/b'),
  same('/.', '/'),
  same('/./', '/'),
  same('/a/.', '/a/'),
  same('/a/..', '/'),
  same('/a/../', '/'),
  same('/a/b/..', '/a/'),
  same('/a/b/../', '/a/'),
  same('/a/%2e%2e/b', '/b'),
  same('/a/%2e/b', '/a/b'),
  same('/a/.%2e/b', '/b'),
  same('/a/%2e./b', '/b'),
  same('/a/%2e%2e', '/'),
  same('/%2e', '/'),
  same('/a%2f..%2fb', '/b'),
  same('/a/..%2fb', '/b'),
  // Other dots are names.
  same('/...', '/...'),
  same('/.../a', '/.../a'),
  same('/a/...', '/a/...'),
  same('/a.', '/a.'),
  same('/a..', '/a..'),
  same('/a../b', '/a../b'),
  same('/..a', '/..a'),
  same('/.a', '/.a'),
  same('/a/..b/..', '/a/'),
  same('/a%2e', '/a.'),
  // Slashes are merged.
  same('//', '/'),
  same('//a', '/a'),
  same('/a//b', '/a/b'),
  same('///a///', '/a/'),
  same('/a//../b', '/b'),
  same('/a/b//..', '/a/'),
  same('/a/.//b', '/a/b'),
  // The absolute form.
  same('http://example.com/a%20b', '/a b'),
  same('HTTP://example.com/x', '/x'),
  same('http://example.com', '/'),
  same('http://example.com?x', '/'),
  same('http://example.com?x=/y', '/'),
  same('http://example.com/x?y=http://z/', '/x'),
  // Refused: NUL, above the root, broken escapes, no path at all. NUL is refused by fillEnviron() too.
  refused('/%00', '/\0'),
  refused('/a%00b', '/a\0b'),
  refused('/..', '/'),
  refused('/../a', '/a'),
  refused('/a/../../b', '/b'),
  refused('/%2e%2e/a', '/a'),
  refused('/..%2f', '/'),
  refused('http://example.com/../a', '/a'),
  refused('/%', '/%'),
  refused('/%4', '/%4'),
  refused('/%zz', '/%zz'),
  refused('/a%4?x', '/a%4'),
  refused('*', ''),
  refused('a', 'a'),
  refused('a/../b', 'a/../b'),
];
