/** Session contents of several sizes: what a login leaves, and carts that grew. */

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

/** The login session, with text added until it is about `bytes` long. */
export function sessionOf(bytes) {
  const data = loginSession();
  const spare = bytes - 1900;
  if (spare <= 0) return { user: data.user, csrf: data.csrf };
  data.notes = Array.from({ length: Math.max(1, Math.ceil(spare / 100)) }, (_, index) =>
    `${index} `.padEnd(86, 'x'),
  );
  return data;
}
