"""Charts and orders as clinicians write them, what a specialist wants for each, and a verdict on what is answered."""
