"""The sandbox of the development profile: patients, orders, cards, and why / why not. Production never imports it."""
