"""What is made from the migrations and kept with them: types, the data model's page, the advisors' verdict."""
