{#- A row for each file of a source that was ever found, as the run's listing of the landing folder left it. -#}
{% macro landed_files_of(source) -%}
    select landed.*
    from (
        select
            from_json(
                value,
                'path string, file_id string, location string, size bigint, modified_at timestamp, content_hash string,
                rows_landed bigint, columns array<string>, reading string, fault string, is_listed boolean,
                is_gone boolean, is_unreachable boolean, landed_on date, same_as string'
            ) as landed
        from text.`{{ literal_path(env_var('STRATA_LAKE')) | replace('`', '``') }}/intake/{{ source }}.jsonl`
    )
{%- endmacro %}
