/** Session contents of several sizes: what a login leaves, and carts that grew. */
import { encodeSession } from '../dist/php/index.js';

/** A line of text with its place in an array, as PHP writes it. */
const LINE_BYTES = 101;

/** About 1.5 to 2 kB: a logged-in user of a shop, with a cart and what frameworks put beside it. */
export function loginSession(seed = 1) {
  return {
    user: {
      id: 4711 + seed,
      name: 'Ada Lovelace',
      email: 'ada@example.org',
      roles: ['customer', 'reviewer'],
    },
    csrf: 'b1946ac92492d2347c6235b8d2611184',
    last_seen: 1_790_000_000 + seed,
    locale: 'de_DE',
    flash: [],
    cart: Array.from({ length: 12 }, (_, index) => ({
      sku: `SKU-${1000 + index}`,
      title: `Artikel Nr. ${index} aus Müllers Lager`,
      quantity: 1 + (index % 3),
      price: 19.9 + index,
    })),
    addresses: {
      billing: { street: 'Hauptstraße 1', zip: '10115', city: 'Berlin', country: 'DE' },
      shipping: { street: 'Nebenweg 22', zip: '80331', city: 'München', country: 'DE' },
    },
  };
}

/** What a session needs for a user at all; the login session with a shorter cart, or with text added: `bytes` long as PHP writes it. */
export function sessionOf(bytes) {
  const data = loginSession();
  const length = () => encodeSession(data, 'php').length;
  while (length() > bytes && data.cart.length > 1) data.cart.pop();
  if (length() > bytes) return { user: data.user, csrf: data.csrf };
  const lines = Math.floor((bytes - length()) / LINE_BYTES);
  if (lines > 0) data.notes = Array.from({ length: lines }, (_, index) => `${index} `.padEnd(86, 'x'));
  return data;
}
