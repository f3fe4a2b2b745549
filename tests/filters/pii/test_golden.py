"""What is and what is not personal data: examples in English, Russian and code."""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters.pii.masking import mask_pii

KEY = "qW3eR5tY7uI9oP1aS2dF4gH6jK8lZ0xC"

FOUND = """
Write to john.doe+news@mail.example.org.uk or J_Smith@yandex.ru. | Write to <email> or <email>.
(maria@xn--d1acufc.xn--p1ai); | (<email>);
Почта: ivan.petrov@mail.ru. Спасибо | Почта: <email>. Спасибо
联系foo@bar.cn。 | 联系<email>。
https://user:hunter2@host.com/path | https://user:<email>/path
?to=a.b@c.de&x=1 | ?to=<email>&x=1
from 93.184.216.34:8080 to [2a00:1450:4010:c05::8b] | from <ip>:8080 to [<ip>]
http://93.184.216.34/index.html, 54.231.0.0/17 | http://<ip>/index.html, <ip>/17
Tel: +44 (0)20 7946 0958 or +49 30 901820, fax +33 1 23 45 67 89. | Tel: <phone> or <phone>, fax <phone>.
Call (306) 975-8300 or 1-800-222-8477 or 306.975.8300! | Call <phone> or <phone> or <phone>!
My phone is 3069758300 | My phone is <phone>
тел. +7 (914) 544-55-32, 8 (495) 223-66-99, 8-800-555-35-35 | тел. <phone>, <phone>, <phone>
Звоните 89145445532 или (4852) 12-34-56 | Звоните <phone> или <phone>
(+7 914 544 55 32) | (<phone>)
WhatsApp: +79145445532 | WhatsApp: <phone>
Card 4111 1111 1111 1111, exp 12/25 | Card <card>, exp 12/25
карта 2202201111111114 и 5555-5555-5555-4444; 378282246310005 | карта <card> и <card>; <card>
паспорт 45 10 123456 выдан, серия 4510 № 123456 | паспорт <passport> выдан, серия <passport>
Паспорт: серия 4510, номер 123456 | Паспорт: серия <passport>
ИНН 7707083893, ИНН физлица: 500100732259 | ИНН <inn>, ИНН физлица: <inn>
ИНН/КПП 7707083893/773601001 | ИНН/КПП <inn>/773601001
СНИЛС 11223344595; 112-233-445 95 | СНИЛС <snils>; <snils>
export TOKEN=ghp_{KEY}abcd | export TOKEN=<api_key>
AKIAIOSFODNN7ABCDEFG, AIzaSyD3asb2pEZVqMkmL6M9N6nHZRRaznhrh0x | <api_key>, <api_key>
https://oauth2:glpat-{20}@gitlab.com/x.git | https://oauth2:<api_key>@gitlab.com/x.git
client_secret: "{KEY}", | client_secret: "<api_key>",
config["apiKey"] = '{KEY}' | config["apiKey"] = '<api_key>'
bot 123456789:AAF{KEY} started | bot <api_key> started
Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P | Bearer <api_key>
"""

LEFT = """
version 1.2.3.4, version 93.184.216.34, v2.0.50.727, Chrome/91.0.4472.124, section 8.2.4.44
package-93.184.216.34.tar.gz /93/184.216 1.3.6.1.4.1.311.21.20 4.3.2.100.in-addr.arpa
10.0.0.1 127.0.0.1 192.168.100.200 172.16.254.1 169.254.169.254
224.0.0.251 255.255.255.0 203.0.113.77
::1 fe80::1 2001:db8::1 2001::1 12:30:45 20:1a:06:2b:3c:4d std::vector 2001:10:05
2024-01-15T12:30:45.123456Z 15.01.2024 01/15/2024 1990-2024 12.10.2024-15.10.2024 1700000000 1700000000000
d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000 e3b0c44298fc1c149afbf4c8996fb924
ISBN 978-0-306-40615-7, ISBN 0-306-40615-2, doi:10.1000/182, ISSN 0378-5955
$1,234,567.89 1.234.567,89 € 12 345 678 ₽ 3.14159265358979 -2.718281828459045e-10 +3.1415926535897
55.751244, 37.618423 (55.751244 37.618423) N55 45 07 E37 36 56
math. 12, p. 377-383(1968) pp. 212-226 (1971), 77, 259-264 1970
int32 -2147483648 +2147483647 +4294967296 0x1234567890 1e+1234567890
user@example.com @mention user@localhost logo@2x.png lodash@4.17.21 getty@tty1.service git@github.com:a/b.git
self.x@self.w.weight foo@bar.baz(1) @user@mastodon.social a@b "@" @@ me@@me.com
4111 1111 1111 1112 4111111111111112 1234567812345670 0000000000000000 default_rng(2435908729190400)
7707083893 500100732259 ИНН 7707083894 ИНН 500100732250 ИНН 0000000000 длинный 7707083893 INNER 7707083893
112-233-445 96 СНИЛС 11223344596 11223344595 001-001-998 00
45 10 123456 4510 123456 паспорт 45-10-123456 серия 12 номера 3
555-0100 206-555-0142 (415) 555-0123 (415)555-0123 (555) 555-0100 1 (415) 555-0123 phone (212) 555-0199
(555) 123-4567 phone 5551234567 123-456-7890 555-123 4567-890 8 123 456 78 90 1-2-3-4 10-20-30
sk-toggleable__label-arrow-with-some-long-name hf_model_name_that_is_quite_long_indeed_yes ghp_xxxxxxxx
AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
password = "correct-horse-battery-staple", token = "<pad>", api_key = os.environ["API_KEY_FOR_SERVICE"]
"NextToken": "9f4d9f69275a41fe8b58e2b837bd9ba48", "sha256": "9f4d9f69275a41fe8b58e2b837bd9ba48"
A block between "-----BEGIN RSA PRIVATE KEY-----" and "-----END RSA PRIVATE KEY-----" is a key.
"""


def lines(text: str) -> list[str]:
    text = text.replace("{KEY}", KEY).replace("{20}", KEY[:20])
    return text.strip().split("\n")


@pytest.mark.parametrize("example", lines(FOUND))
def test_found(example: str) -> None:
    text, _, expected = example.partition(" | ")
    masked = mask_pii(pa.array([text]))
    assert masked.texts.to_pylist() == [expected]


@pytest.mark.parametrize("text", lines(LEFT))
def test_left_as_it_is(text: str) -> None:
    assert mask_pii(pa.array([text])).texts.to_pylist() == [text]


def test_private_keys() -> None:
    body = (KEY * 2 + "\n") * 20
    for label in ("RSA PRIVATE KEY", "PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"):
        text = f'key = """-----BEGIN {label}-----\n{body}-----END {label}-----"""\n'
        assert mask_pii(pa.array([text])).texts.to_pylist() == ['key = """<private_key>"""\n']
    public = f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----"
    assert mask_pii(pa.array([public])).texts.to_pylist() == [public]
