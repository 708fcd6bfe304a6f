{{ config(materialized='view') }}

{{ listed_files_of_sources() }}
