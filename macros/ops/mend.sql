{#-
  Mend a lake as `strata repair` plans it (python/strata/repair.py), which calls it: `aside` are paths, `registered` and `forgotten`
  tables; those of `kept` are to keep what a rollback needs, and raw ones of `unnoted` are looked at by the next load, whatever is noted
  of them. Each may be done already.
-#}
{% macro mend_lake(aside, registered, forgotten, kept, unnoted) %}
    {% do run_query(sign_commits()) %}
    {%- for path in aside -%}
        {% do log(path ~ ' is now ' ~ modules.strata.set_aside(path), info=true) %}
    {%- endfor -%}
    {%- for table in forgotten -%}
        {% do run_query('drop table if exists ' ~ _table_named(table)) %}
    {%- endfor -%}
    {%- for table in registered -%}
        {% do _register_table(_table_named(table), table.folder) %}
    {%- endfor -%}
    {%- for table in kept -%}
        {% do _set_table_properties(_table_named(table), _retention_properties()) %}
    {%- endfor -%}
    {%- for table in unnoted -%}
        {% do _forget_what_is_noted(_table_named(table)) %}
    {%- endfor -%}
{% endmacro %}


{#-
  Make few files of many small ones, and take away what no version kept needs: `strata maintain` calls it, with the tables to compact
  and those to clean. Whoever reads goes on with the version that he began with.
-#}
{% macro maintain_tables(compacted, cleaned) %}
    {% do run_query(sign_commits()) %}
    {%- for table in compacted -%}
        {% do run_query('optimize ' ~ _table_named(table)) %}
    {%- endfor -%}
    {%- for table in cleaned -%}
        {#- A table of before may keep less than is promised: it is told so first. -#}
        {% do _set_table_properties(_table_named(table), _retention_properties()) if not table.keeps %}
        {% do run_query('vacuum ' ~ _table_named(table)) %}
    {%- endfor -%}
{% endmacro %}


{#- Return the relation of a table, by its schema and name. -#}
{% macro _table_named(table) %}
    {{ return(api.Relation.create(schema=table.schema, identifier=table.name, type='table')) }}
{% endmacro %}
