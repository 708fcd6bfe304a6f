{#- A row for all that lies in the landing folder and is not taken, as the runs that listed it left it. -#}
{% macro ignored_files_found() -%}
    select ignored.*
    from (
        select
            from_json(
                value, 'source string, path string, size bigint, modified_at timestamp, reason string'
            ) as ignored
        from text.`{{ literal_path(env_var('STRATA_LAKE')) | replace('`', '``') }}/intake/ignored`
    )
{%- endmacro %}
