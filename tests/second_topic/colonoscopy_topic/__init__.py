"""A topic about colonoscopy and latex allergy. Made up for the tests."""
