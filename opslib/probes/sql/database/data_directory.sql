-- title: Where does the server keep its data?
SELECT /* opslib */ current_setting('data_directory', true) AS folder
