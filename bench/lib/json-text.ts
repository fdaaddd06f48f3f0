// A JSON document of about 16 KiB, such as an API gives: a list of small records.

export const JSON_TEXT: string = JSON.stringify(
  Array.from({ length: 150 }, (_, index) => ({
    id: 1_000_000 + index,
    name: `Customer number ${String(index).padStart(4, '0')}`,
    email: `customer-${String(index).padStart(4, '0')}@example.com`,
    active: index % 3 !== 0,
    balance: 100 + index,
  })),
);
