"""A fictional topic about colonoscopy and latex allergy."""
