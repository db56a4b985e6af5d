import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The files from which database servers take their certificate. */
export interface TlsFolder {
  /** What to start the servers with. */
  readonly serverArgs: readonly string[];
  /** Puts another certificate in; the servers take it when they are told to. */
  show(certificate: string, key: string): void;
  /** Removes the files. */
  remove(): void;
}

/** Makes a folder with {@link TEST_CERTIFICATE}. */
export function createTlsFolder(): TlsFolder {
  const folder = mkdtempSync(join(tmpdir(), 'stormlamp-tls-'));
  // The servers may run as somebody else.
  chmodSync(folder, 0o755);
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const show: TlsFolder['show'] = (text, keyText) => {
    writeFileSync(certificate, text);
    writeFileSync(key, keyText);
  };
  show(TEST_CERTIFICATE, TEST_CERTIFICATE_KEY);
  return {
    serverArgs: [`--ssl-cert=${certificate}`, `--ssl-key=${key}`, `--ssl-ca=${certificate}`],
    show,
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** A certificate for `localhost` that signed itself, valid for a hundred years, with its key: for tests on this machine only. */
export const TEST_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmjCCAUGgAwIBAgIUHhX1TUi0OB6d6D2ffMxZfE0zx40wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMDIxNDc0NFoYDzIxMjYxMDI3
MjE0NzQ0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQeJ2MgJmyxMBsaOJHSap2gDqW+WDW6LbfSQGyAIReHxKJDA9eT+v7E
YqPHmHBpyUbBuijdscaef5bONZofB8iJo28wbTAdBgNVHQ4EFgQU5ugM9zUF5/CM
iMiHuUkKJm/FEd0wHwYDVR0jBBgwFoAU5ugM9zUF5/CMiMiHuUkKJm/FEd0wDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDRwAwRAIgT0ff54m/SOBI+DmRdQApCwGJHiBGTZPbv2gH3xHILhkCIEku
U5CpYAjR4nKC5O/JRrfjtn/Nk/9GAmUBhA51Vpub
-----END CERTIFICATE-----
`;

/** The key of {@link TEST_CERTIFICATE}. */
export const TEST_CERTIFICATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg93JRqJp/cwM0rA8r
ruTJLxYZDAQaSJwZZGLvQuS41zehRANCAAQeJ2MgJmyxMBsaOJHSap2gDqW+WDW6
LbfSQGyAIReHxKJDA9eT+v7EYqPHmHBpyUbBuijdscaef5bONZofB8iJ
-----END PRIVATE KEY-----
`;

/** One for `localhost` by its name, and not by its address. */
export const NAME_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBljCCATugAwIBAgIUNc/h2kKyjYQs4Cka3tbEJ/jWb3kwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyOTEwMDYyMVoYDzIxMjYxMTA1
MTAwNjIxWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARoYWGS/XAGSDv0szSb10leHKxlG41bTL9DbtiRF6x1G0bOoyT8CnDC
Tim36oIaODeBaNwXy+RmwVRsp33w3V5Jo2kwZzAdBgNVHQ4EFgQUqQIZUh8+YYao
AG2+/hCt4MqmlMUwHwYDVR0jBBgwFoAUqQIZUh8+YYaoAG2+/hCt4MqmlMUwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SQAwRgIhAPWkCSJacpzo+WfyWjOHrWFq2boBacF2DL/rH3gWXBPSAiEAr9BXjLNR
iaSw4zjOlOj5sH2nqO0cEGKu/fRxh7+qA6o=
-----END CERTIFICATE-----
`;

/** The key of {@link NAME_CERTIFICATE}. */
export const NAME_CERTIFICATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9HpIq2hTszsUFRnw
B+dUWazF2NrLSXqHNBjU2EBTvTyhRANCAARoYWGS/XAGSDv0szSb10leHKxlG41b
TL9DbtiRF6x1G0bOoyT8CnDCTim36oIaODeBaNwXy+RmwVRsp33w3V5J
-----END PRIVATE KEY-----
`;

/** Another one, for `db.example`, which nobody here is. */
export const OTHER_CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBlzCCAT6gAwIBAgIURlF8nZn1kOzXNxNFFmsZhtWyld8wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKZGIuZXhhbXBsZTAgFw0yNjExMjgxMjI3MjRaGA8yMTI2MTEw
NDEyMjcyNFowFTETMBEGA1UEAwwKZGIuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABOrq6rB2Rnpogmqe+r2ac3ec1xcWxiGo9qyrFGurnOjruadMwXGz
6MjDoIlCrV0k+alJCwrDVBJuQBi7cVCJAkKjajBoMB0GA1UdDgQWBBTZPdaGIvBm
/kQFD6rVbQn0efHChDAfBgNVHSMEGDAWgBTZPdaGIvBm/kQFD6rVbQn0efHChDAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmRiLmV4YW1wbGUwCgYIKoZIzj0E
AwIDRwAwRAIgfL5YL+zv+towdwrFRG9sAP6F4M4TOe7LrB978BejgFYCIEs40BoR
qTHDczffBUzEupJLC6qYRYdIlpAFweXR4BHL
-----END CERTIFICATE-----
`;

/** The key of {@link OTHER_CERTIFICATE}. */
export const OTHER_CERTIFICATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgDF5PJoC2KQP0if+w
St3mGCc6WZQ+M6VrUA6ngr6t8CShRANCAATq6uqwdkZ6aIJqnvq9mnN3nNcXFsYh
qPasqxRrq5zo67mnTMFxs+jIw6CJQq1dJPmpSQsKw1QSbkAYu3FQiQJC
-----END PRIVATE KEY-----
`;
